package fleet

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

// address checks what the Talos API of a node is called by.
func (c *checker) address(node *Node) {
	if node.Address == "" {
		return
	}

	address, err := netip.ParseAddr(node.Address)

	switch {
	case err != nil && !isDNSName(node.Address):
		c.fault(node.Name, "address", "%s is neither an IP address nor a DNS name: %s", quote.Value(node.Address), addressInstead(node.Address))

		return
	case err == nil && tailaddr.Contains(address):
		c.fault(node.Name, "address", "%s is an address of the tailnet, which the node has only once it has joined: write its address on the LAN", address)

		return
	case err == nil && (address.IsUnspecified() || address.IsMulticast() || address == netip.AddrFrom4([4]byte{255, 255, 255, 255})):
		c.fault(node.Name, "address", "%s is the address of no node: write its address on the LAN", address)

		return
	}

	same := sameAddress(node.Address)
	if other, taken := c.addresses[same]; taken {
		c.fault(node.Name, "address", "%s is that of %s too: give each node its own", quote.Value(node.Address), other)
	}

	c.addresses[same] = node.Name
}

// sameAddress writes an address or a name in the one form that all ways to write it have in common.
func sameAddress(text string) string {
	if address, err := netip.ParseAddr(text); err == nil {
		return address.Unmap().String()
	}

	return strings.TrimSuffix(strings.ToLower(text), ".")
}

// addressInstead says what to write for an address that has more to it.
func addressInstead(text string) string {
	host := strings.TrimSpace(text)

	if parsed, err := url.Parse(host); err == nil && parsed.Host != "" {
		host = parsed.Host
	}

	if prefix, err := netip.ParsePrefix(host); err == nil {
		host = prefix.Addr().String()
	}

	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}

	if host = strings.Trim(host, "[]"); isAddress(host) {
		return "write " + host
	}

	return "write one of them alone, without a port or a scheme"
}

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)

	return err == nil || isDNSName(text)
}

func isDNSName(text string) bool {
	text = strings.TrimSuffix(text, ".")

	for part := range strings.SplitSeq(strings.ToLower(text), ".") {
		if !label().MatchString(part) {
			return false
		}
	}

	last := text[strings.LastIndex(text, ".")+1:]

	return strings.Trim(last, "0123456789") != "" // else it is a mistyped IPv4 address
}
