package verify

import (
	"fmt"
	"strings"
)

// explainAlert explains a handshake that the other side ended: what it said with its alert is what it means.
func explainAlert(r Result) Finding {
	alert := Alert("")
	if r.TLS != nil {
		alert = r.TLS.Alert
	}

	byAddress := r.TLS == nil || r.TLS.ServerName == ""
	said := "the server ends the handshake with the alert " + string(alert)

	switch alert {
	case AlertInternalError, AlertUnrecognizedName, AlertHandshakeFailure:
		if byAddress {
			return sniNeeded(r, unnamed)
		}
	}

	switch alert {
	case AlertInternalError:
		if isTailnetName(r.Host) {
			return Finding{
				Code:  CodeTLSNoCertificate,
				Cause: "the server has no certificate for " + r.Host + ", and says so with the alert internal_error: that is how tailscale serve, its Ingress and the operator's proxy answer",
				Next: []string{
					"switch HTTPS certificates (and MagicDNS) on for the tailnet: admin console, DNS, HTTPS Certificates",
					"ask for the full name of the device, NAME.TAILNET.ts.net; then look at the log of the device: the first request gets the certificate, which takes seconds",
				},
			}
		}

		return Finding{
			Code: CodeTLSServerError, Cause: said + ": it failed itself, mostly because it has no certificate for " + r.Host,
			Next: []string{"look at the server's log; it is no matter of the way to it, or of this client"},
		}
	case AlertUnrecognizedName:
		return Finding{
			Code: CodeSNIUnknown, Cause: said + ": it does not know the name " + r.Host,
			Next: []string{"write the name that the server expects: https://NAME:PORT/@IP", "where the name is right, let the server have a certificate for it; the address may be that of another server"},
		}
	case AlertProtocolVersion, AlertInsufficientSecurity:
		return explainVersion(r, said)
	case AlertNoApplicationProtocol:
		return Finding{
			Code: CodeNoHTTP, Cause: said + ": it speaks neither HTTP/2 nor HTTP/1.1 on this port",
			Next: []string{"check the port: tcp:// tells whether it is open"},
		}
	case AlertHandshakeFailure:
		return Finding{
			Code: CodeTLSRefused, Cause: said + ": nothing that both can speak, or no certificate for " + r.Host,
			Next: []string{"look at the server's ciphers and curves, and its log: Go programs such as this one speak ECDHE alone in TLS 1.2, over X25519 or P-256 to P-521", "write the name that the server expects: https://NAME:PORT/@IP"},
		}
	case "":
		return Finding{
			Code: CodeTLSRefused, Cause: r.Detail,
			Next: []string{"write the name that the server expects: https://NAME:PORT/@IP", "look at the server's log"},
		}
	default:
		return Finding{Code: CodeTLSRefused, Cause: said, Next: []string{"look at the server's log, which says why"}}
	}
}

func explainVersion(r Result, said string) Finding {
	return Finding{
		Code: CodeTLSVersion, Cause: orDefault(said, r.Detail),
		Next: []string{"let the server speak TLS 1.2 and 1.3: clients of today accept nothing older"},
	}
}

// explainNotTLS explains what answers without TLS, by its first bytes where they are known ones.
func explainNotTLS(r Result) Finding {
	finding := Finding{
		Code: CodeNotTLS, Cause: "what listens on the port does not speak TLS",
		Next: []string{"check the port: plain HTTP and databases often have another one; tcp:// tells whether it is open"},
	}

	if r.TLS == nil || r.TLS.Instead == "" {
		return finding
	}

	finding.Cause = "what listens on the port speaks " + r.TLS.Instead + ", without TLS"

	if strings.HasPrefix(r.TLS.Instead, "HTTP") {
		finding.Next = []string{
			"let clients ask with http:// on this port, or let the server have TLS there; where both are served, check the port",
			"for a device of a tailnet, tailscale serve puts HTTPS before it",
		}
	}

	return finding
}

// explainStalled explains a handshake that gets no answer.
func explainStalled(r Result) Finding {
	const mtu = "try the same target from the node: where only pods fail, let the CNI's MTU be 1280 or clamp the MSS, because tailscale0 carries 1280 bytes"

	if r.TLS != nil && r.TLS.LongHelloLost {
		return Finding{
			Code: CodeTLSStalled,
			Cause: "the handshake gets no answer where its first message is as long as today's clients send it (about 1700 bytes), and one where it is short: " +
				"long packets are lost on the way, or what stands before the server cannot take a message in two packets",
			Next: []string{mtu, "to tell the two apart: GODEBUG=tlsmlkem=0 makes the message of Go programs short, curl --curves X25519 that of curl"},
		}
	}

	return Finding{
		Code: CodeTLSStalled,
		Cause: "connections open, and the TLS handshake gets no answer: long packets are lost on the way where short ones pass, " +
			"or what listens does not answer",
		Next: []string{"try tcp:// on the same port; " + mtu, "look at whether the server is overloaded: --timeout gives it longer"},
	}
}

func explainClosed(r Result) Finding {
	if r.TLS != nil && r.TLS.LongHelloLost {
		return Finding{
			Code:  CodeClosed,
			Cause: fmt.Sprintf("%s closes the connection on port %d where the first message of TLS is as long as today's clients send it (about 1700 bytes), and not where it is short", r.Address, r.Port),
			Next: []string{
				"update the server's TLS library, or the firewall or balancer before it: it has to take a message in two packets",
				"until then, GODEBUG=tlsmlkem=0 makes the message of Go programs short, curl --curves X25519 that of curl",
			},
		}
	}

	return Finding{
		Code: CodeClosed, Cause: fmt.Sprintf("%s accepts the connection on port %d and closes it", r.Address, r.Port),
		Next: []string{"look at the server's log: it may allow some addresses only, or a proxy before it has no server behind"},
	}
}
