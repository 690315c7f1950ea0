package nodeip_test

import (
	"fmt"
	"net/netip"

	"github.com/talos-tsbridge/talos-tsbridge/nodeip"
)

// A node on a LAN in 192.168.0.0/16 registers with its tailnet address, because that sorts first.
func ExamplePick() {
	addresses := []netip.Addr{
		netip.MustParseAddr("192.168.1.10"),
		netip.MustParseAddr("100.82.13.87"),
	}

	fmt.Println(nodeip.Pick(addresses))
	fmt.Println(nodeip.Default().Strings())
	fmt.Println(nodeip.Pick(addresses, nodeip.Default().Strings()...))
	// Output:
	// [100.82.13.87] <nil>
	// [0.0.0.0/0 !100.64.0.0/10]
	// [192.168.1.10] <nil>
}

func ExampleParse() {
	subnets, err := nodeip.Parse("!172.17.0.0/16", "172.16.0.1/12", "::/0")
	fmt.Println(subnets.Strings(), err)
	fmt.Println(subnets.Notes())
	// Output:
	// [172.16.0.0/12 ::/0 !172.17.0.0/16 !fd7a:115c:a1e0::/48] <nil>
	// [subnet 172.16.0.1/12 has host bits set: using 172.16.0.0/12]
}
