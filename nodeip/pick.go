package nodeip

import (
	"fmt"
	"net/netip"
	"slices"

	sideronet "github.com/siderolabs/net"

	"github.com/talos-tsbridge/talos-tsbridge/internal/cidr"
)

// Pick returns the addresses that Talos gives to the kubelet as node IPs, out of the addresses of a node and under the
// given validSubnets: at most one of each family, in the order of the subnets. The first is the primary one. An empty
// result means that the kubelet is not started.
//
// Subnets are taken as they stand, unlike those of [Parse], so that the effect of any list can be seen. No subnets stand
// for 0.0.0.0/0, which Talos derives from an IPv4 service CIDR. Pod and service CIDRs and virtual IPs, which Talos
// excludes too, are the caller's to append as negatives.
//
// As on a node, loopback, link-local and multicast addresses are left out and the rest is sorted; the subnets then choose
// in their order of preference, negatives take away what was chosen before them. Where a node has several addresses in
// one network, Talos may look at their prefix lengths as well, which a list of addresses does not tell.
//
// It fails for a subnet that Talos would not read.
func Pick(addresses []netip.Addr, subnets ...string) ([]netip.Addr, error) {
	if len(subnets) == 0 {
		subnets = []string{cidr.AllIPv4.String()}
	}

	candidates := make([]netip.Addr, 0, len(addresses))

	for _, address := range addresses {
		if address.IsLoopback() || address.IsLinkLocalUnicast() || address.IsMulticast() || !address.IsValid() {
			continue
		}

		candidates = append(candidates, address)
	}

	slices.SortFunc(candidates, netip.Addr.Compare)

	// the function that the node itself calls
	matching, err := sideronet.FilterIPs(candidates, subnets)
	if err != nil {
		return nil, fmt.Errorf("node IP: %w", err)
	}

	var picked []netip.Addr

	for _, address := range matching {
		if !slices.ContainsFunc(picked, func(p netip.Addr) bool { return p.Is4() == address.Is4() }) {
			picked = append(picked, address)
		}
	}

	return picked, nil
}
