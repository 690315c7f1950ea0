package verify

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Kind is what is tried with a target.
type Kind string

// The kinds of targets, each the scheme that a target of it begins with.
const (
	KindTCP     Kind = "tcp"
	KindHTTPS   Kind = "https"
	KindDNS     Kind = "dns"
	KindTailnet Kind = "tailnet"
	KindTalos   Kind = "talos"
	KindKube    Kind = "kube"
)

// TargetUsage lists the forms of a target, for help texts and errors.
const TargetUsage = "tcp://HOST:PORT, https://NAME:PORT/PATH@IP, dns://NAME@SERVER, tailnet://NAME, talos://NAME or kube://NAME"

// Target is one thing to reach. [ParseTarget] makes it.
type Target struct {
	kind Kind
	// host is a name in lower case without a final dot, or an address.
	host string
	port uint16
	// path and query of the request, beginning with a slash.
	path string
	// address is where to connect to instead of where host resolves to.
	address netip.Addr
	// server is the name server to ask; the system's resolver where there is none.
	server netip.AddrPort
}

// Kind returns what is tried.
func (t Target) Kind() Kind { return t.kind }

// Host returns the name or address in the target, without the port.
func (t Target) Host() string { return t.host }

// String returns the target in the form in which it can be parsed.
func (t Target) String() string {
	text := string(t.kind) + "://"

	switch t.kind {
	case KindTCP:
		return text + t.hostPort()
	case KindHTTPS:
		if t.port == httpsPort {
			text += bracketed(t.host)
		} else {
			text += t.hostPort()
		}

		text += t.path
		if t.address.IsValid() {
			text += "@" + t.address.String()
		}

		return text
	case KindDNS:
		text += t.host

		switch {
		case !t.server.IsValid():
		case t.server.Port() == dnsPort:
			text += "@" + t.server.Addr().String()
		default:
			text += "@" + t.server.String()
		}

		return text
	case KindTailnet:
		return text + t.host
	case KindTalos, KindKube:
		if t.port == apiPorts[t.kind] {
			text += bracketed(t.host)
		} else {
			text += t.hostPort()
		}

		if t.address.IsValid() {
			text += "@" + t.address.String()
		}

		return text
	}

	return ""
}

func (t Target) hostPort() string { return net.JoinHostPort(t.host, strconv.Itoa(int(t.port))) }

func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}

	return host
}

// literal returns the address that host is, if it is one.
func (t Target) literal() (netip.Addr, bool) {
	address, err := netip.ParseAddr(t.host)

	return address, err == nil
}

// pinned returns the address to connect to where the target says one, so that no name has to be resolved.
func (t Target) pinned() (netip.Addr, bool) {
	if t.address.IsValid() {
		return t.address, true
	}

	return t.literal()
}

const (
	httpsPort = 443
	dnsPort   = 53
)

// apiPorts are where the APIs of Talos and Kubernetes listen unless a target says otherwise.
var apiPorts = map[Kind]uint16{KindTalos: 50000, KindKube: 6443}
