package tailaddr

import (
	"encoding/binary"
	"net/netip"
)

var (
	ipv4 = netip.MustParsePrefix("100.64.0.0/10")
	ipv6 = netip.MustParsePrefix("fd7a:115c:a1e0::/48")
	// via are IPv6 addresses that stand for IPv4 subnets behind subnet routers (4via6): routes, and not addresses of devices.
	via = netip.MustParsePrefix("fd7a:115c:a1e0:b1a::/64")

	magicDNS4 = netip.MustParseAddr("100.100.100.100")
	magicDNS6 = netip.MustParseAddr("fd7a:115c:a1e0::53")
)

// IPv4 is the range that the IPv4 addresses of devices come from. Carriers use it too, for NAT of their own.
func IPv4() netip.Prefix { return ipv4 }

// IPv6 is the range that the IPv6 addresses of devices come from. 4via6 lies in it: see [ParseVia].
func IPv6() netip.Prefix { return ipv6 }

// Ranges are [IPv4] and [IPv6].
func Ranges() []netip.Prefix { return []netip.Prefix{ipv4, ipv6} }

// MagicDNS4 is where tailscaled answers for names, on a machine that has an IPv4 address of a tailnet.
func MagicDNS4() netip.Addr { return magicDNS4 }

// MagicDNS6 is where tailscaled answers for names, on a machine that has an IPv6 address of a tailnet.
func MagicDNS6() netip.Addr { return magicDNS6 }

// IsMagicDNS reports whether tailscaled answers for names at an address.
func IsMagicDNS(address netip.Addr) bool {
	address = address.Unmap().WithZone("")

	return address == magicDNS4 || address == magicDNS6
}

// Contains reports whether an address lies in a range of tailnets: that of a device, MagicDNS, or a 4via6 route.
func Contains(address netip.Addr) bool {
	address = address.Unmap().WithZone("")

	return ipv4.Contains(address) || ipv6.Contains(address)
}

// ParseVia takes a 4via6 address apart: the number of the site, and the IPv4 address in it. ok is false for any other.
func ParseVia(address netip.Addr) (site uint32, inside netip.Addr, ok bool) {
	if !via.Contains(address.WithZone("")) {
		return 0, netip.Addr{}, false
	}

	const siteAt, insideAt = 8, 12

	bytes := address.As16()

	return binary.BigEndian.Uint32(bytes[siteAt:]), netip.AddrFrom4([4]byte(bytes[insideAt:])), true
}
