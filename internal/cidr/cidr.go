// Package cidr reads the subnets that people write.
package cidr

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

// The subnets of all addresses of a family.
var (
	AllIPv4 = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	AllIPv6 = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
)

// Parse reads a CIDR, or an address, which is the subnet of it alone. The prefix may have host bits set: see [Mask].
//
// Its errors start with what, the field's name.
func Parse(what, text string) (netip.Prefix, error) {
	text = strings.TrimSpace(text)

	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		address, addressErr := netip.ParseAddr(text)
		if addressErr != nil || address.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%s %s is not a CIDR: write one such as 192.168.1.0/24", what, quote.Value(text))
		}

		prefix = netip.PrefixFrom(address, address.BitLen())
	}

	if prefix.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%s %s is IPv4 written as IPv6, which matches no address: write it as IPv4", what, prefix)
	}

	return prefix, nil
}

// Mask clears the host bits, and returns a note where there were some.
func Mask(what string, prefix netip.Prefix) (masked netip.Prefix, note string) {
	if masked = prefix.Masked(); masked != prefix {
		note = fmt.Sprintf("%s %s has host bits set: using %s", what, prefix, masked)
	}

	return masked, note
}

// Contains reports whether all of inner lies in outer.
func Contains(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}
