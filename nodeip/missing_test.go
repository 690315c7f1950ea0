package nodeip_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/nodeip"
)

// With what is missing at its end, a list picks no address of the tailnet, unless it asks for them.
func TestMissingExclusions(t *testing.T) {
	t.Parallel()

	node := []netip.Addr{
		netip.MustParseAddr("100.82.13.10"), netip.MustParseAddr("192.168.1.10"), netip.MustParseAddr("fd00::10"), netip.MustParseAddr("fd7a:115c:a1e0::10"),
	}

	for list, want := range map[string]string{
		"":                              "",
		"192.168.1.0/24":                "",
		"0.0.0.0/0":                     "!100.64.0.0/10",
		"::/0 0.0.0.0/0":                "!100.64.0.0/10 !fd7a:115c:a1e0::/48",
		"0.0.0.0/0 !100.64.0.0/10":      "",
		"0.0.0.0/0 !100.0.0.0/8":        "",
		"!100.64.0.0/10 0.0.0.0/0":      "!100.64.0.0/10", // an exclusion before it has no effect
		"0.0.0.0/0 !100.82.13.10":       "!100.64.0.0/10", // nor keeps one of an address the others out
		"fd00::/8 !fd7a:115c:a1e0::/48": "",
		"0.0.0.0/0 100.82.0.0/16":       "",
		"100.82.13.10":                  "",
		"0.0.0.0/0 !not-a-subnet":       "",
		"0.0.0.0/0 !100.64.0.0/10 ::/0": "!fd7a:115c:a1e0::/48",
		"0.0.0.0/0 !100.64.0.0/10 ::/1": "",
	} {
		subnets := strings.Fields(list)
		missing := nodeip.MissingExclusions(subnets...)
		assert.Equal(t, want, strings.Join(missing, " "), list)

		if want == "" {
			continue
		}

		picked, err := nodeip.Pick(node, append(subnets, missing...)...)
		require.NoError(t, err)
		assert.NotContains(t, picked, node[0])
		assert.NotContains(t, picked, node[3])
	}
}
