package verify

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// ParseTargets parses targets in their order; its error joins those of all of them.
func ParseTargets(texts ...string) ([]Target, error) {
	var faults []error

	targets := make([]Target, 0, len(texts))

	for _, text := range texts {
		target, err := ParseTarget(text)
		if err != nil {
			faults = append(faults, err)

			continue
		}

		targets = append(targets, target)
	}

	if err := errors.Join(faults...); err != nil {
		return nil, err
	}

	return targets, nil
}

// ParseTarget parses a target: see [TargetUsage]. The port of https is 443 unless it is said, and the path is /; that of
// a name server is 53, of talos 50000, of kube 6443. IPv6 addresses before a port stand in brackets. Its error says what to write instead.
func ParseTarget(text string) (Target, error) {
	text = strings.TrimSpace(text)

	if secret.Looks(text) {
		return Target{}, errors.New("a target looks like a key and is not repeated here: write " + TargetUsage)
	}

	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return Target{}, fmt.Errorf("target %s has no scheme: write %s", quote.Value(text), TargetUsage)
	}

	var (
		target Target
		err    error
	)

	switch Kind(strings.ToLower(scheme)) {
	case KindTCP:
		target, err = parseTCP(rest)
	case KindHTTPS:
		target, err = parseHTTPS(rest)
	case KindDNS:
		target, err = parseDNS(rest)
	case KindTailnet:
		target, err = parseTailnet(rest)
	case KindTalos, KindKube:
		target, err = parseAPI(Kind(strings.ToLower(scheme)), rest)
	default:
		err = errors.New("has an unknown scheme: write " + TargetUsage)
	}

	if err != nil {
		return Target{}, fmt.Errorf("target %s %w", quote.Value(withoutUser(text)), err)
	}

	return target, nil
}

// withoutUser returns a target for a message, without what may be the name and password of a user (https://user:pw@host).
// What stands behind an @ in a target is an address.
func withoutUser(text string) string {
	scheme, rest, _ := strings.Cut(text, "://")

	i := strings.LastIndex(rest, "@")
	if i < 0 {
		return text
	}

	if _, err := ParseServer(rest[i+1:]); err == nil {
		return text
	}

	return scheme + "://[redacted]@" + rest[i+1:]
}

func parseTCP(rest string) (Target, error) {
	const usage = "tcp://HOST:PORT, such as tcp://100.82.13.87:8200"

	host, port, err := splitHostPort(rest, 0)
	if err != nil {
		return Target{}, fmt.Errorf("%w: write %s", err, usage)
	}

	return Target{kind: KindTCP, host: host, port: port}, nil
}

func parseHTTPS(rest string) (Target, error) {
	const usage = "https://NAME:PORT/PATH@IP, such as https://vault.example.ts.net:8200/v1/sys/health@100.82.13.87"

	target := Target{kind: KindHTTPS, path: "/"}

	if i := strings.LastIndex(rest, "@"); i >= 0 {
		address, err := parseAddress(rest[i+1:])
		if err != nil {
			return Target{}, fmt.Errorf("has no address behind its @: write %s, and %%40 for an @ in the path", usage)
		}

		target.address, rest = address, rest[:i]
	}

	hostPort, path, hasPath := strings.Cut(rest, "/")

	var err error
	if target.host, target.port, err = splitHostPort(hostPort, httpsPort); err != nil {
		return Target{}, fmt.Errorf("%w: write %s", err, usage)
	}

	if hasPath {
		target.path += path
	}

	parsed, err := url.ParseRequestURI(target.path)
	if err != nil || strings.ContainsAny(target.path, " #\"'\\`$") {
		return Target{}, fmt.Errorf("has characters in its path that a URL cannot hold: percent-encode them, and write %s", usage)
	}

	target.path = parsed.RequestURI()

	return target, nil
}

func parseDNS(rest string) (Target, error) {
	const usage = "dns://NAME or dns://NAME@SERVER, such as dns://vault.example.ts.net@100.100.100.100"

	name, server, hasServer := strings.Cut(rest, "@")

	host, err := parseName(name)
	if err != nil {
		return Target{}, fmt.Errorf("%w: write %s", err, usage)
	}

	target := Target{kind: KindDNS, host: host}
	if !hasServer {
		return target, nil
	}

	if target.server, err = ParseServer(server); err != nil {
		return Target{}, fmt.Errorf("has a server that is not an IP address, with or without a port: write %s", usage)
	}

	return target, nil
}

// ParseServer parses the address of a name server, IP or IP:PORT; the port is 53 unless it is said.
func ParseServer(text string) (netip.AddrPort, error) {
	if server, err := netip.ParseAddrPort(text); err == nil && server.Port() != 0 {
		return server, nil
	}

	address, err := parseAddress(text)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("server %s is not an IP address: write one such as 100.100.100.100, or with a port 127.0.0.1:5353",
			quote.Value(text))
	}

	return netip.AddrPortFrom(address, dnsPort), nil
}

func parseTailnet(rest string) (Target, error) {
	host, err := parseName(rest)
	if err != nil {
		return Target{}, fmt.Errorf("%w: write tailnet://NAME, such as tailnet://vault.example.ts.net", err)
	}

	return Target{kind: KindTailnet, host: host}, nil
}

// parseAPI parses NAME[:PORT][@IP].
func parseAPI(kind Kind, rest string) (Target, error) {
	usage := fmt.Sprintf("%s://NAME, %s://NAME:PORT or %s://NAME@IP", kind, kind, kind)
	target := Target{kind: kind, path: "/version"}

	host, address, pinned := strings.Cut(rest, "@")
	if pinned {
		var err error
		if target.address, err = parseAddress(address); err != nil {
			return Target{}, fmt.Errorf("has no address behind its @: write %s", usage)
		}
	}

	var err error
	if target.host, target.port, err = splitHostPort(host, apiPorts[kind]); err != nil {
		return Target{}, fmt.Errorf("%w: write %s", err, usage)
	}

	return target, nil
}

// parseAddress parses an IP address, which may stand in brackets.
func parseAddress(text string) (netip.Addr, error) {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		text = strings.TrimSuffix(inner, "]")
	}

	address, err := netip.ParseAddr(text)
	if err != nil || address.Zone() != "" {
		return netip.Addr{}, errors.New("is not an IP address")
	}

	return address.Unmap(), nil
}

// splitHostPort takes a host and its port apart. A missing port is an error where there is no default, 0.
func splitHostPort(text string, defaultPort uint16) (string, uint16, error) {
	host, port := text, ""

	if address, err := parseAddress(text); err == nil && defaultPort != 0 {
		return address.String(), defaultPort, nil
	}

	if strings.Contains(text, ":") {
		var err error
		if host, port, err = net.SplitHostPort(text); err != nil {
			return "", 0, errors.New("is not a host and a port")
		}
	}

	if port == "" && defaultPort == 0 {
		return "", 0, errors.New("has no port")
	}

	number := uint64(defaultPort)

	if port != "" {
		var err error
		if number, err = strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
			return "", 0, errors.New("has a port that is not a number from 1 to 65535")
		}
	}

	if address, err := parseAddress(host); err == nil {
		return address.String(), uint16(number), nil
	}

	host, err := parseName(host)

	return host, uint16(number), err
}

// parseName checks a name of the DNS. Underscores pass, since names of services have them.
func parseName(name string) (string, error) {
	const longestName, longestLabel = 253, 63

	name = strings.ToLower(strings.TrimSuffix(name, "."))

	if name == "" {
		return "", errors.New("has no name")
	}

	if _, err := netip.ParseAddr(name); err == nil {
		return "", errors.New("has an address where a name belongs")
	}

	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > longestLabel || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") ||
			strings.ContainsFunc(label, func(r rune) bool { return r != '-' && r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
			return "", errors.New("has a name that DNS does not allow: labels of letters, digits, - and _, at most 63 each")
		}
	}

	if len(name) > longestName {
		return "", errors.New("has a name that is too long for the DNS")
	}

	return name, nil
}
