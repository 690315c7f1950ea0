package verify

import (
	"fmt"
	"net/netip"
	"time"
)

// Place is where a check is made from.
type Place string

// The places that make a difference to a diagnosis.
const (
	// PlaceHost is a machine: a laptop, or anything that is neither of the others.
	PlaceHost Place = "host"
	// PlacePod is a pod with a network of its own.
	PlacePod Place = "pod"
	// PlaceNode is a Kubernetes node itself, such as a pod in the host's network.
	PlaceNode Place = "node"
)

// ParsePlace parses the name of a place.
func ParsePlace(text string) (Place, error) {
	switch place := Place(text); place {
	case PlaceHost, PlacePod, PlaceNode:
		return place, nil
	default:
		return "", fmt.Errorf("the place is unknown: write %s, %s or %s", PlaceHost, PlacePod, PlaceNode)
	}
}

// DetectPlace tells a pod from a machine by the variables that the kubelet sets. A pod in the network of its node looks
// the same as any other: say so with [PlaceNode].
func DetectPlace(lookupEnv func(string) (string, bool)) Place {
	if address, _ := lookupEnv("KUBERNETES_SERVICE_HOST"); address != "" {
		return PlacePod
	}

	return PlaceHost
}

// Duration is a time span that is text in JSON, such as "12.5ms".
type Duration time.Duration

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)

	return err
}

// String returns the time span as [time.Duration] does, to a tenth of a millisecond where it is shorter than a second.
func (d Duration) String() string {
	const tenth, hundredths = 100 * time.Microsecond, 10 * time.Millisecond

	if time.Duration(d) < time.Second {
		return time.Duration(d).Round(tenth).String()
	}

	return time.Duration(d).Round(hundredths).String()
}

// Result is what became of a target.
type Result struct {
	// Target is the target in the form in which it can be parsed.
	Target string `json:"target"`
	Kind   Kind   `json:"kind"`
	// From is where the target was tried from.
	From    Place   `json:"from"`
	Outcome Outcome `json:"outcome"`
	// Detail says more about the outcome, in one line.
	Detail string `json:"detail,omitempty"`
	// Host is the name in the target, or its address.
	Host string `json:"host"`
	// Address is the one that was tried last, or reached.
	Address netip.Addr `json:"address,omitzero"`
	Port    uint16     `json:"port,omitempty"`
	// Latency is how long the last attempt took: to the connection of tcp, to the header of https, to the answer of dns.
	Latency Duration `json:"latency"`
	// LatencySeconds is Latency as a number.
	LatencySeconds float64 `json:"latencySeconds"`
	// Proxy is the proxy that the target was tried through. UnusedProxy is one that the environment names and that was not
	// used, where the target was not reached.
	Proxy       string `json:"proxy,omitempty"`
	UnusedProxy string `json:"unusedProxy,omitempty"`
	// Attempts counts the attempts, 1 without waiting.
	Attempts int `json:"attempts"`

	// DNS is the last answer that led to the outcome.
	DNS *DNS `json:"dns,omitempty"`
	// MagicDNS is what MagicDNS says, for targets of the kind tailnet.
	MagicDNS *DNS `json:"magicDNS,omitempty"`
	// Absolute is what the system's resolver has for the name with a final dot, for which it takes no search domain;
	// Wildcard reports whether a name that nobody can have given is answered as well. Both are asked where a name of a
	// tailnet has addresses that are none of one.
	Absolute *DNS `json:"absolute,omitempty"`
	Wildcard bool `json:"wildcard,omitempty"`
	// TLS is set once the other side was asked for TLS.
	TLS *TLS `json:"tls,omitempty"`
	// Status is that of the HTTP answer, such as 200.
	Status int `json:"status,omitempty"`
	// APIVersion is the version of the Talos API that was reached, such as v1.14.1, where somebody with credentials asked it.
	APIVersion string `json:"apiVersion,omitempty"`
}

// OK reports whether the target was reached.
func (r Result) OK() bool { return r.Outcome == OutcomeOK }

// SystemResolver is what [DNS.Server] holds for the resolver that the system is configured with.
const SystemResolver = "system"

// DNS is the answer to a question for the addresses of a name.
type DNS struct {
	// Server is [SystemResolver], or the address of the server.
	Server  string  `json:"server"`
	Outcome Outcome `json:"outcome"`
	// Code is the answer's code, such as NOERROR or SERVFAIL; empty without an answer and for the system's resolver.
	Code string `json:"code,omitempty"`
	// Transport is udp, or tcp where the answer over UDP was truncated; empty for the system's resolver.
	Transport string       `json:"transport,omitempty"`
	Addresses []netip.Addr `json:"addresses,omitempty"`
	// Detail is set for failures.
	Detail string `json:"detail,omitempty"`
}

// TLS is what the other side showed.
type TLS struct {
	// Version is such as "TLS 1.3"; empty when the handshake failed.
	Version string `json:"version,omitempty"`
	// Protocol is what the server chose to speak: h2, http/1.1, or "" where it chose nothing.
	Protocol string `json:"protocol,omitempty"`
	// ServerName is the one that was asked for by SNI; empty where that is an address, for which there is no SNI.
	ServerName string `json:"serverName,omitempty"`
	// Chain is the certificates as they were shown, the server's own first.
	Chain []Certificate `json:"chain"`
	// Verified is false where the certificates were not verified, or not with success.
	Verified bool `json:"verified"`
	// Problem is what is wrong with a certificate, or will be where they were verified with success; Faulty is that
	// certificate, which may be any of the chain, or the authority.
	Problem Problem      `json:"problem,omitempty"`
	Faulty  *Certificate `json:"faulty,omitempty"`
	// Alert is what the other side ended the handshake with.
	Alert Alert `json:"alert,omitempty"`
	// ClientCertificate reports whether the server asked for a certificate of the client, which it did not get;
	// ClientCertificateNeeded whether it went no further without.
	ClientCertificate       bool `json:"clientCertificate,omitempty"`
	ClientCertificateNeeded bool `json:"clientCertificateNeeded,omitempty"`
	// Cipher is the one that was agreed on, where Go programs refuse it unless they are told otherwise.
	Cipher string `json:"cipher,omitempty"`
	// Instead is what answered without TLS, such as HTTP or SSH, where its first bytes tell.
	Instead string `json:"instead,omitempty"`
	// LongHelloLost reports that the first message of the handshake got no answer at the length that it has today, and one
	// when it was short.
	LongHelloLost bool `json:"longHelloLost,omitempty"`
}

// Certificate is one of a chain.
type Certificate struct {
	Subject string `json:"subject"`
	Issuer  string `json:"issuer"`
	// Names are the DNS names and addresses that it is for.
	Names     []string  `json:"names,omitempty"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
}
