package verify

// Outcome is what became of a target.
type Outcome string

// The outcomes. All but [OK] are failures.
const (
	OK Outcome = "ok"

	// Refused: the host was reached and nothing listens on the port, or a firewall says so.
	Refused Outcome = "refused"
	// Timeout: no answer to the attempt to connect.
	Timeout Outcome = "timeout"
	// Unreachable: there is no route, or a router says that there is none.
	Unreachable Outcome = "unreachable"
	// Closed: connected, and the other side closed or reset the connection.
	Closed Outcome = "closed"

	// NoSuchName: a name server answered that the name does not exist (NXDOMAIN). The system's resolver says so also for
	// a name without addresses.
	NoSuchName Outcome = "no-such-name"
	// NoAddress: the name exists and has no address.
	NoAddress Outcome = "no-address"
	// ServFail: a name server answered that it could not find out (SERVFAIL).
	ServFail Outcome = "servfail"
	// DNSRefused: a name server refuses to answer (REFUSED), or answers with another error.
	DNSRefused Outcome = "dns-refused"
	// DNSTimeout: no answer of a name server.
	DNSTimeout Outcome = "dns-timeout"
	// DNSUnreachable: a name server could not be asked: its port is closed, or there is no route to it.
	DNSUnreachable Outcome = "dns-unreachable"
	// DNSBroken: the answer of a name server cannot be read.
	DNSBroken Outcome = "dns-broken"

	// NotTailnet: a name of the tailnet resolves to an address that is none of a tailnet.
	NotTailnet Outcome = "not-tailnet"
	// Stale: the system's resolver has another address for the name than MagicDNS has.
	Stale Outcome = "stale"

	// TLSName: the certificate is for other names.
	TLSName Outcome = "tls-name"
	// TLSUntrusted: the certificate's authority is not trusted.
	TLSUntrusted Outcome = "tls-untrusted"
	// TLSExpired: the certificate is not valid yet or no longer.
	TLSExpired Outcome = "tls-expired"
	// TLSTimeout: connected, and the TLS handshake does not end.
	TLSTimeout Outcome = "tls-timeout"
	// TLSRefused: the other side ended the TLS handshake with an alert.
	TLSRefused Outcome = "tls-refused"
	// NotTLS: what answers does not speak TLS.
	NotTLS Outcome = "not-tls"
	// NoHTTP: TLS works, and no HTTP answer comes.
	NoHTTP Outcome = "no-http"

	// Canceled: the caller ended the check before it had an outcome.
	Canceled Outcome = "canceled"
	// Failed is any other failure.
	Failed Outcome = "failed"
)

// name reports whether an outcome says that a name could not be resolved.
func (o Outcome) name() bool {
	switch o {
	case NoSuchName, NoAddress, ServFail, DNSRefused, DNSTimeout, DNSUnreachable, DNSBroken:
		return true
	default:
		return false
	}
}

// silent reports whether an outcome says that packets to an address, or those back, were lost.
func (o Outcome) silent() bool { return o == Timeout || o == Unreachable }
