package verify

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

// The codes of [Diagnose].
const (
	// CodeNamesNotBridged: tailnet addresses are reached and names of the tailnet do not resolve.
	CodeNamesNotBridged Code = "names-not-bridged"
	// CodeNoMasquerade: a pod does not reach a tailnet address that its node, or another machine, reaches.
	CodeNoMasquerade Code = "no-masquerade"
	// CodeTailnetUnreachable: no tailnet address is reached from this place.
	CodeTailnetUnreachable Code = "tailnet-unreachable"
	// CodePeerSilent: one tailnet address is not reached while others are.
	CodePeerSilent Code = "peer-silent"
	// CodePortFiltered: an address answers on one port and not on another.
	CodePortFiltered Code = "port-filtered"
	// CodeAddressSilent: an address outside of the tailnet is not reached.
	CodeAddressSilent Code = "address-silent"
	// CodeRefused: nothing listens on the port.
	CodeRefused Code = "port-refused"
	// CodeClosed: the connection is closed right after it was opened.
	CodeClosed Code = "connection-closed"

	// CodeNameUnknown: MagicDNS does not have the name.
	CodeNameUnknown Code = "name-unknown"
	// CodeMagicDNSSilent: MagicDNS is not reached.
	CodeMagicDNSSilent Code = "magicdns-silent"
	// CodeNXDomain: a name server is certain that the name does not exist.
	CodeNXDomain Code = "dns-nxdomain"
	// CodeServFail: a name server could not find out.
	CodeServFail Code = "dns-servfail"
	// CodeDNSFailed: a name server does not answer, refuses or answers nonsense.
	CodeDNSFailed Code = "dns-failed"
	// CodeNoAddress: the name has no address.
	CodeNoAddress Code = "dns-no-address"
	// CodeStaleCopy: a copy of a name holds another address than MagicDNS.
	CodeStaleCopy Code = "stale-copy"
	// CodeNotTailnet: the name of a device resolves to an address outside of the tailnet.
	CodeNotTailnet Code = "not-tailnet"

	// CodeSNINeeded: the server chooses its certificate by name, and was asked by address.
	CodeSNINeeded Code = "sni-needed"
	// CodeTLSName: the certificate is for other names.
	CodeTLSName Code = "tls-name"
	// CodeTLSUntrusted: the certificate's authority is unknown here.
	CodeTLSUntrusted Code = "tls-untrusted"
	// CodeTLSExpired: the certificate is not valid now.
	CodeTLSExpired Code = "tls-expired"
	// CodeTLSStalled: connections open and the TLS handshake does not end.
	CodeTLSStalled Code = "tls-stalled"
	// CodeTLSRefused: the other side refuses the handshake.
	CodeTLSRefused Code = "tls-refused"
	// CodeNotTLS: what answers does not speak TLS.
	CodeNotTLS Code = "not-tls"
	// CodeNoHTTP: what answers over TLS does not speak HTTP.
	CodeNoHTTP Code = "no-http"
	// CodeHTTPStatus: the server answers that it has an error.
	CodeHTTPStatus Code = "http-status"

	// CodeCanceled: the check was ended before it had an outcome.
	CodeCanceled Code = "canceled"
	// CodeFailed: any other failure.
	CodeFailed Code = "failed"
)

// Diagnose says what the results mean, looked at together. Each failed result is a subject of at least one finding of
// the severity [SeverityFault], or [SeverityUnknown] where the check was ended; a target that was reached may be one of a [SeverityWarning].
//
// It is a function of the results alone. Results of several places, given together, tell more: see [Result.From].
func Diagnose(results []Result) []Finding {
	all := evidence(results)
	findings := make([]Finding, 0, len(results))

	for _, result := range results {
		finding, found := all.explain(result)
		if !found {
			continue
		}

		if finding.Severity == "" {
			finding.Severity = SeverityFault
		}

		finding.Subjects = []string{result.Target}
		findings = append(findings, finding)
	}

	return Merge(findings)
}

// evidence is all the results, for what one says about another.
type evidence []Result

func (e evidence) any(match func(Result) bool) bool { return slices.ContainsFunc(e, match) }

// explain returns the finding for a result, without its subject.
func (e evidence) explain(r Result) (Finding, bool) {
	switch {
	case r.OK():
		return explainReached(r)
	case r.Outcome == OutcomeCanceled:
		return Finding{
			Code: CodeCanceled, Severity: SeverityUnknown, Cause: "the check was ended before this was known", Next: []string{"run it again"},
		}, true
	case r.Outcome.name():
		return e.explainName(r), true
	case r.Outcome.silent():
		return e.explainSilence(r), true
	}

	return e.explainAnswer(r), true
}

func explainReached(r Result) (Finding, bool) {
	const firstServerError = 500

	if r.Status >= firstServerError {
		return Finding{
			Code: CodeHTTPStatus, Severity: SeverityWarning,
			Cause: fmt.Sprintf("the server is reached and answers with status %d", r.Status),
			Next:  []string{"look at the server, not at the way to it"},
		}, true
	}

	return Finding{}, false
}

// crossed reports whether packets went both ways between the place and the address.
func (r Result) crossed() bool {
	if !r.Address.IsValid() || r.Kind == KindDNS || r.Kind == KindTailnet {
		return false
	}

	return !r.Outcome.silent() && !r.Outcome.name() && r.Outcome != OutcomeCanceled && r.Outcome != OutcomeFailed
}

// reachesTailnet reports whether any device of the tailnet answered to this place.
func (e evidence) reachesTailnet(from Place) bool {
	return e.any(func(o Result) bool { return o.From == from && o.crossed() && tailaddr.Contains(o.Address) })
}

func (e evidence) explainSilence(r Result) Finding {
	reachedFrom := func(from Place) bool {
		return e.any(func(o Result) bool { return o.From == from && o.crossed() && o.Address == r.Address })
	}
	otherPort := slices.IndexFunc(e, func(o Result) bool {
		return o.From == r.From && o.crossed() && o.Address == r.Address && o.Port != r.Port
	})

	switch {
	case otherPort >= 0:
		return Finding{
			Code:  CodePortFiltered,
			Cause: fmt.Sprintf("%s answers on port %d and is silent on port %d: a firewall or the tailnet's policy drops the packets", r.Address, e[otherPort].Port, r.Port),
			Next:  []string{fmt.Sprintf("allow port %d in the tailnet's policy file for the tags of the nodes, and in the firewall of the device", r.Port)},
		}
	case tailaddr.Contains(r.Address) && r.From == PlacePod && reachedFrom(PlaceNode):
		return noMasquerade("the node reaches the address and its pods do not: their packets leave with the pod's address, to which the tailnet " +
			"has no way back")
	case tailaddr.Contains(r.Address) && r.From == PlacePod && reachedFrom(PlaceHost):
		finding := noMasquerade("the address is up, and not reached from the pod: its packets leave with the pod's address, to which the tailnet has " +
			"no way back, or the tailnet's policy does not allow the node what it allows the other machine")
		finding.Next = append(finding.Next, "look at the node, whether it is on the tailnet at all: talos-tsbridge verify --nodes NODE")

		return finding
	case tailaddr.Contains(r.Address) && e.reachesTailnet(r.From):
		return Finding{
			Code:  CodePeerSilent,
			Cause: "other devices of the tailnet are reached, so this one is offline, or the tailnet's policy does not allow the connection",
			Next:  []string{"look at the device's last seen in the admin console", "allow the tags of the nodes to reach it in the tailnet's policy file"},
		}
	case tailaddr.Contains(r.Address):
		return unreachableFrom(r.From)
	}

	return Finding{
		Code:  CodeAddressSilent,
		Cause: "the address is not one of a tailnet, and does not answer",
		Next:  []string{"check the address, the route to it, and firewalls between", "for a subnet behind the tailnet: its router must be up, its route approved, and accept-routes on"},
	}
}

func noMasquerade(cause string) Finding {
	return Finding{
		Code: CodeNoMasquerade, Cause: cause,
		Next: []string{
			"let the CNI masquerade traffic that leaves the cluster (flannel does; Cilium: enable-ipv4-masquerade, and no " +
				"ipv4-native-routing-cidr that contains 100.64.0.0/10; Calico: natOutgoing)",
			"check that neither the pod nor the service CIDR overlaps 100.64.0.0/10",
		},
	}
}

// unreachableFrom is the finding of a place from which nothing of the tailnet is reached.
func unreachableFrom(from Place) Finding {
	if from == PlacePod {
		return Finding{
			Code:  CodeTailnetUnreachable,
			Cause: "no tailnet address is reached from this pod: its node is not on the tailnet, runs with TS_USERSPACE=true, or pod traffic is not masqueraded",
			Next: []string{
				"look at the node: talos-tsbridge verify --nodes NODE",
				"try the same from a machine of the tailnet with -o json, and give its output here with --also: it tells the causes apart",
			},
		}
	}

	return Finding{
		Code:  CodeTailnetUnreachable,
		Cause: "no tailnet address is reached from here: this machine is not on the tailnet, or the tailnet's policy allows it nothing",
		Next:  []string{"run tailscale status on this machine, and tailscale up where it says that it is stopped"},
	}
}

func (e evidence) explainAnswer(r Result) Finding {
	switch r.Outcome {
	case OutcomeRefused:
		return Finding{
			Code:  CodeRefused,
			Cause: fmt.Sprintf("%s is reached, and nothing listens on its port %d", r.Address, r.Port),
			Next:  []string{"check that the server runs, and that it listens on its tailnet address or on all, not on 127.0.0.1 alone"},
		}
	case OutcomeClosed:
		return Finding{
			Code:  CodeClosed,
			Cause: fmt.Sprintf("%s accepts the connection on port %d and closes it", r.Address, r.Port),
			Next:  []string{"look at the server's log: it may allow some addresses only, or a proxy before it has no server behind"},
		}
	case OutcomeTLSName:
		return explainTLSName(r)
	case OutcomeTLSUntrusted:
		return Finding{
			Code:  CodeTLSUntrusted,
			Cause: "the certificate is of an authority that is not trusted here: " + issuerOf(r.TLS),
			Next:  []string{"give its certificate with --ca-file FILE; pods need it too, in their own trust store"},
		}
	case OutcomeTLSExpired:
		return Finding{
			Code:  CodeTLSExpired,
			Cause: "the certificate is valid " + validityOf(r.TLS),
			Next:  []string{"renew it (tailscale cert NAME, for one of Tailscale's)", "or set the clock of this machine, if that is what is wrong"},
		}
	case OutcomeTLSTimeout:
		return Finding{
			Code: CodeTLSStalled,
			Cause: "connections open, and the TLS handshake gets no answer: long packets are lost on the way where short ones pass, " +
				"or what listens does not answer",
			Next: []string{
				"try tcp:// on the same port, and the same target from the node: where only pods fail, let the CNI's MTU be 1280 or clamp the MSS, " +
					"because tailscale0 carries 1280 bytes",
				"look at whether the server is overloaded: --timeout gives it longer",
			},
		}
	case OutcomeTLSRefused:
		return Finding{
			Code:  CodeTLSRefused,
			Cause: r.Detail,
			Next:  []string{"write the name that the server expects: https://NAME:PORT/@IP", "a server that wants a client's certificate cannot be checked with https://: use tcp://"},
		}
	case OutcomeNotTLS:
		return Finding{
			Code: CodeNotTLS, Cause: "what listens on the port does not speak TLS",
			Next: []string{"check the port: plain HTTP and databases often have another one; tcp:// tells whether it is open"},
		}
	case OutcomeNoHTTP:
		return Finding{
			Code: CodeNoHTTP, Cause: r.Detail,
			Next: []string{"check the port, and that the server does not want a client's certificate: tcp:// tells whether it is open"},
		}
	case OutcomeNotTailnet:
		return Finding{
			Code: CodeNotTailnet, Cause: r.Detail + ": another name server answers for it",
			Next: []string{"write the device's full name, as the admin console shows it", "look for a wildcard or a search domain that catches the name"},
		}
	case OutcomeStale:
		return Finding{
			Code: CodeStaleCopy, Cause: r.Detail + ": the first is a copy that was not changed with the device",
			Next: []string{"change the address where the copy is: in the StaticHostConfig document (talos-tsbridge --static-host), hostAliases or a hosts file"},
		}
	default:
		return Finding{Code: CodeFailed, Cause: orDefault(r.Detail, "it failed"), Next: []string{"try it by hand, with nc, curl -v or dig"}}
	}
}

func explainTLSName(r Result) Finding {
	names := "the name that the certificate is for"
	if r.TLS != nil && len(r.TLS.Chain) > 0 {
		if i := slices.IndexFunc(r.TLS.Chain[0].Names, func(name string) bool { return !isAddress(name) && !strings.Contains(name, "*") }); i >= 0 {
			names = r.TLS.Chain[0].Names[i]
		}
	}

	if r.TLS == nil || r.TLS.ServerName == "" {
		return Finding{
			Code:  CodeSNINeeded,
			Cause: "the server is asked for by its address, and its certificate is for names: TLS needs the name (SNI)",
			Next:  []string{fmt.Sprintf("write https://%s:%d/@%s; in curl that is --resolve", names, r.Port, r.Address)},
		}
	}

	return Finding{
		Code:  CodeTLSName,
		Cause: r.Detail,
		Next: []string{
			"ask for a name that the certificate is for, such as " + names,
			"or let the server have one for " + r.Host + " (tailscale cert " + r.Host + ", for a name of the tailnet)",
			"where the address is wrong, another server answers: check what is behind @",
		},
	}
}

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)

	return err == nil
}

func issuerOf(shown *TLS) string {
	if shown == nil || len(shown.Chain) == 0 {
		return "it showed none"
	}

	return shown.Chain[len(shown.Chain)-1].Issuer
}

func validityOf(shown *TLS) string {
	if shown == nil || len(shown.Chain) == 0 {
		return "at another time"
	}

	const form = "2006-01-02 15:04 MST"

	return "from " + shown.Chain[0].NotBefore.UTC().Format(form) + " to " + shown.Chain[0].NotAfter.UTC().Format(form)
}
