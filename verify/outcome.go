package verify

// Outcome is what became of a target.
type Outcome string

// The outcomes. All but [OutcomeOK] are failures.
const (
	OutcomeOK Outcome = "ok"

	// OutcomeRefused: the host was reached and nothing listens on the port, or a firewall says so.
	OutcomeRefused Outcome = "refused"
	// OutcomeTimeout: no answer to the attempt to connect.
	OutcomeTimeout Outcome = "timeout"
	// OutcomeUnreachable: there is no route, or a router says that there is none.
	OutcomeUnreachable Outcome = "unreachable"
	// OutcomeClosed: connected, and the other side closed or reset the connection.
	OutcomeClosed Outcome = "closed"

	// OutcomeNoSuchName: a name server answered that the name does not exist (NXDOMAIN). The system's resolver says so also for
	// a name without addresses.
	OutcomeNoSuchName Outcome = "no-such-name"
	// OutcomeNoAddress: the name exists and has no address.
	OutcomeNoAddress Outcome = "no-address"
	// OutcomeServFail: a name server answered that it could not find out (SERVFAIL).
	OutcomeServFail Outcome = "servfail"
	// OutcomeDNSRefused: a name server refuses to answer (REFUSED), or answers with another error.
	OutcomeDNSRefused Outcome = "dns-refused"
	// OutcomeDNSTimeout: no answer of a name server.
	OutcomeDNSTimeout Outcome = "dns-timeout"
	// OutcomeDNSUnreachable: a name server could not be asked: its port is closed, or there is no route to it.
	OutcomeDNSUnreachable Outcome = "dns-unreachable"
	// OutcomeDNSBroken: the answer of a name server cannot be read.
	OutcomeDNSBroken Outcome = "dns-broken"

	// OutcomeNotTailnet: a name of the tailnet resolves to an address that is none of a tailnet.
	OutcomeNotTailnet Outcome = "not-tailnet"
	// OutcomeStale: the system's resolver has another address for the name than MagicDNS has.
	OutcomeStale Outcome = "stale"

	// OutcomeTLSName: the certificate is for other names.
	OutcomeTLSName Outcome = "tls-name"
	// OutcomeTLSInvalid: a certificate may not be used for this: its use, a constraint, the order or a signature.
	OutcomeTLSInvalid Outcome = "tls-invalid"
	// OutcomeTLSVersion: the server speaks versions of TLS only that nobody accepts any more.
	OutcomeTLSVersion Outcome = "tls-version"
	// OutcomeTLSUntrusted: the certificate's authority is not trusted.
	OutcomeTLSUntrusted Outcome = "tls-untrusted"
	// OutcomeTLSExpired: the certificate is not valid yet or no longer.
	OutcomeTLSExpired Outcome = "tls-expired"
	// OutcomeTLSTimeout: connected, and the TLS handshake does not end.
	OutcomeTLSTimeout Outcome = "tls-timeout"
	// OutcomeTLSRefused: the other side ended the TLS handshake with an alert.
	OutcomeTLSRefused Outcome = "tls-refused"
	// OutcomeNotTLS: what answers does not speak TLS.
	OutcomeNotTLS Outcome = "not-tls"
	// OutcomeNoHTTP: TLS works, and no HTTP answer comes.
	OutcomeNoHTTP Outcome = "no-http"

	// OutcomeProxy: the proxy is not reached, or does not get through.
	OutcomeProxy Outcome = "proxy-failed"
	// OutcomeExhausted: this machine has no file descriptor or memory left for a connection.
	OutcomeExhausted Outcome = "exhausted"
	// OutcomeCanceled: the caller ended the check before it had an outcome.
	OutcomeCanceled Outcome = "canceled"
	// OutcomeFailed is any other failure.
	OutcomeFailed Outcome = "failed"
)

// name reports whether an outcome says that a name could not be resolved.
func (o Outcome) name() bool {
	switch o {
	case OutcomeNoSuchName, OutcomeNoAddress, OutcomeServFail, OutcomeDNSRefused, OutcomeDNSTimeout, OutcomeDNSUnreachable, OutcomeDNSBroken:
		return true
	default:
		return false
	}
}

// silent reports whether an outcome says that packets to an address, or those back, were lost.
func (o Outcome) silent() bool { return o == OutcomeTimeout || o == OutcomeUnreachable }
