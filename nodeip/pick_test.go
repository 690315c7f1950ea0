package nodeip_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/nodeip"
)

func TestPick(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name      string
		addresses string
		subnets   []string
		want      string
	}{
		// what happens without this project
		{name: "a LAN in 192.168 loses its node IP to the tailnet", addresses: "192.168.1.10 100.82.13.87", want: "100.82.13.87"},
		{name: "so does one in 172.16", addresses: "172.16.4.2 100.82.13.87", want: "100.82.13.87"},
		{name: "one in 10 does not", addresses: "10.0.0.4 100.82.13.87", want: "10.0.0.4"},
		{name: "a negative before any positive excludes nothing", addresses: "192.168.1.10 100.82.13.87",
			subnets: []string{"!100.64.0.0/10", "0.0.0.0/0"}, want: "100.82.13.87"},

		// what the default does about it
		{name: "the default keeps the LAN", addresses: "100.82.13.87 192.168.1.10", subnets: nodeip.Default().Strings(), want: "192.168.1.10"},
		{name: "the default leaves an IPv6-only node without one", addresses: "2001:db8::10 fd7a:115c:a1e0::1",
			subnets: nodeip.Default().Strings(), want: ""},

		{name: "one of each family, in the order of the subnets", addresses: "192.168.1.10 192.168.1.11 2001:db8::10 2001:db8::11",
			subnets: []string{"::/0", "0.0.0.0/0"}, want: "2001:db8::10 192.168.1.10"},
		{name: "the first subnet that matches wins over the smaller address", addresses: "10.0.0.4 192.168.1.10",
			subnets: []string{"192.168.0.0/16", "10.0.0.0/8"}, want: "192.168.1.10"},
		{name: "a negative takes away", addresses: "10.0.0.4 10.0.0.9", subnets: []string{"10.0.0.0/8", "!10.0.0.4/32"}, want: "10.0.0.9"},
		{name: "never loopback, link-local or multicast", addresses: "127.0.0.1 169.254.1.1 224.0.0.1 ::1 fe80::1 10.0.0.4",
			subnets: []string{"0.0.0.0/0", "::/0"}, want: "10.0.0.4"},
		{name: "nothing matches", addresses: "10.0.0.4", subnets: []string{"192.168.0.0/16"}, want: ""},
		{name: "no addresses", want: ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			var addresses []netip.Addr

			for _, text := range strings.Fields(tt.addresses) {
				addresses = append(addresses, netip.MustParseAddr(text))
			}

			picked, err := nodeip.Pick(addresses, tt.subnets...)
			require.NoError(t, err)

			texts := make([]string, 0, len(picked))
			for _, address := range picked {
				texts = append(texts, address.String())
			}

			assert.Equal(t, tt.want, strings.Join(texts, " "))
		})
	}
}

func TestPickRefusesWhatTalosCannotRead(t *testing.T) {
	t.Parallel()

	_, err := nodeip.Pick([]netip.Addr{netip.MustParseAddr("10.0.0.4")}, "lan")
	require.Error(t, err)
}
