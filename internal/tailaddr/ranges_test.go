package tailaddr_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

func TestRanges(t *testing.T) {
	for _, test := range []struct {
		address                string
		contains, magic, route bool
	}{
		{"100.64.0.0", true, false, false},
		{"100.127.255.255", true, false, false},
		{"::ffff:100.82.13.87", true, false, false},
		{"fd7a:115c:a1e0::1%tailscale0", true, false, false},
		{"100.100.100.100", true, true, false},
		{"fd7a:115c:a1e0::53", true, true, false},
		{"fd7a:115c:a1e0:b1a:0:7:a00:1", true, false, true},
		{"100.63.255.255", false, false, false},
		{"100.128.0.0", false, false, false},
		{"fd7a:115c:a1e1::1", false, false, false},
		{"10.0.0.1", false, false, false},
	} {
		address := netip.MustParseAddr(test.address)
		assert.Equal(t, test.contains, tailaddr.Contains(address), test.address)
		assert.Equal(t, test.magic, tailaddr.IsMagicDNS(address), test.address)

		_, _, ok := tailaddr.ParseVia(address)
		assert.Equal(t, test.route, ok, test.address)
	}

	assert.False(t, tailaddr.Contains(netip.Addr{}), "no address")
}

func TestParseVia(t *testing.T) {
	site, inside, ok := tailaddr.ParseVia(netip.MustParseAddr("fd7a:115c:a1e0:b1a:0:7:c0a8:10a"))
	assert.True(t, ok)
	assert.Equal(t, uint32(7), site)
	assert.Equal(t, "192.168.1.10", inside.String())
}
