package verify

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

// Diagnose says what the results mean, looked at together. Each failed result is a subject of at least one finding of
// the severity [SeverityFault], or [SeverityUnknown] where the check was ended; a target that was reached may be one of a [SeverityWarning].
//
// It is a function of the results alone. Results of several places, given together, tell more: see [Result.From].
func Diagnose(results []Result) []Finding {
	all := evidence(results)
	findings := make([]Finding, 0, len(results))

	for _, result := range results {
		for _, finding := range all.explain(result) {
			finding.Subjects = []string{result.Target}
			findings = append(findings, finding)
		}
	}

	return Merge(findings)
}

// evidence is all the results, for what one says about another.
type evidence []Result

func (e evidence) any(match func(Result) bool) bool { return slices.ContainsFunc(e, match) }

// explain returns the findings for a result, without their subject.
func (e evidence) explain(r Result) []Finding {
	severity := SeverityFault

	var finding Finding

	switch {
	case r.OK():
		return e.warnings(r)
	case r.Outcome == OutcomeCanceled:
		severity = SeverityUnknown
		finding = Finding{Code: CodeCanceled, Cause: "the check was ended before this was known", Next: []string{"run it again"}}
	case r.Outcome.name():
		finding = e.explainName(r)
	case r.Outcome.silent():
		finding = e.explainSilence(r)
	default:
		if r.Outcome == OutcomeExhausted {
			severity = SeverityUnknown
		}

		finding = e.explainAnswer(r)
	}

	finding.Severity = severity

	return []Finding{finding}
}

// warnings are what there is to say about a target that was reached.
func (e evidence) warnings(r Result) []Finding {
	const firstServerError = 500

	found := r.TLS.warnings(r.Kind, r.Status)

	if isForeign(r) {
		found = append(found, explainForeign(r))
	}

	switch {
	case r.Status >= firstServerError:
		found = append(found, Finding{
			Code:  CodeHTTPStatus,
			Cause: fmt.Sprintf("the server is reached and answers with status %d", r.Status),
			Next:  []string{"look at the server, not at the way to it"},
		})
	case r.Status == http.StatusMisdirectedRequest:
		found = append(found, Finding{
			Code:  CodeHTTPStatus,
			Cause: "the server is reached and is not the one for " + r.Host + ": it answers with status 421, Misdirected Request",
			Next:  []string{"check the address behind @, and the server's hosts: its certificate is for the name, and its routes are not"},
		})
	}

	for i := range found {
		found[i].Severity = SeverityWarning
	}

	return found
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

// hasTailscaled reports whether MagicDNS answered to this place, which tailscaled does on the machine itself, or on the
// node of a pod.
func (e evidence) hasTailscaled(from Place) bool {
	return e.any(func(o Result) bool {
		return o.From == from && (o.MagicDNS.answered() || o.DNS.answered() && isMagicDNS(o.DNS.Server) ||
			o.DNS != nil && isMagicDNS(o.DNS.Server) && o.DNS.Outcome == OutcomeOK)
	})
}

func (e evidence) explainSilence(r Result) Finding {
	reachedFrom := func(from Place) bool {
		return e.any(func(o Result) bool { return o.From == from && o.crossed() && o.Address == r.Address })
	}
	otherPort := slices.IndexFunc(e, func(o Result) bool {
		return o.From == r.From && o.crossed() && o.Address == r.Address && o.Port != r.Port
	})

	finding := Finding{
		Code:  CodeAddressSilent,
		Cause: "the address is not one of a tailnet, and does not answer",
		Next:  []string{"check the address, the route to it, and firewalls between", "for a subnet behind the tailnet: its router must be up, its route approved, and accept-routes on"},
	}

	switch {
	case isForeign(r):
		return explainForeign(r)
	case otherPort >= 0:
		finding = Finding{
			Code:  CodePortFiltered,
			Cause: fmt.Sprintf("%s answers on port %d and is silent on port %d: a firewall or the tailnet's policy drops the packets", r.Address, e[otherPort].Port, r.Port),
			Next:  []string{fmt.Sprintf("allow port %d in the tailnet's policy file for the tags of the nodes, and in the firewall of the device", r.Port)},
		}
	case tailaddr.Contains(r.Address) && r.From == PlacePod && reachedFrom(PlaceNode):
		finding = noMasquerade("the node reaches the address and its pods do not: their packets leave with the pod's address, to which the tailnet " +
			"has no way back, or a NetworkPolicy drops them")
	case tailaddr.Contains(r.Address) && r.From == PlacePod && reachedFrom(PlaceHost):
		finding = noMasquerade("the address is up, and not reached from the pod: its packets leave with the pod's address, to which the tailnet has " +
			"no way back, or the tailnet's policy does not allow the node what it allows the other machine")
		finding.Next = append(finding.Next,
			"try it from the node itself: talos-tsbridge verify --manifest --from node --on-node NODE TARGET, and give the Job's log here with --also",
			"look at the node, whether it is on the tailnet at all: talos-tsbridge verify --nodes NODE")
	case isRoute(r.Address):
		finding = e.explainRoute(r)
	case tailaddr.Contains(r.Address) && e.reachesTailnet(r.From):
		finding = peerSilent("other devices of the tailnet are reached, so this one is offline, or the tailnet's policy does not allow the connection")
	case tailaddr.Contains(r.Address) && r.From != PlacePod && e.hasTailscaled(r.From):
		finding = peerSilent("MagicDNS answers, so this machine is on the tailnet, and the device is offline, or the tailnet's policy does not allow the connection")
	case tailaddr.Contains(r.Address):
		finding = unreachableFrom(r)
	}

	if r.From == PlacePod && finding.Code != CodeTailnetUnreachable {
		finding.Next = append(finding.Next, networkPolicy)
	}

	return finding
}

// networkPolicy is what may be wrong wherever a pod gets no answer.
const networkPolicy = "see that no NetworkPolicy (or Cilium's) of the namespace keeps the pod from it: where egress is denied by default, " +
	"100.64.0.0/10 and fd7a:115c:a1e0::/48 must be allowed (kubectl get networkpolicy,ciliumnetworkpolicy)"

func peerSilent(cause string) Finding {
	return Finding{
		Code: CodePeerSilent, Cause: cause,
		Next: []string{"look at the device's last seen in the admin console", "allow the tags of the nodes to reach it in the tailnet's policy file"},
	}
}

// isRoute reports whether an address leads through a subnet router by what it is (4via6).
func isRoute(address netip.Addr) bool {
	_, _, ok := tailaddr.ParseVia(address)

	return ok
}

// explainRoute explains a silent address of a subnet behind the tailnet.
func (e evidence) explainRoute(r Result) Finding {
	site, inside, _ := tailaddr.ParseVia(r.Address)
	cause := fmt.Sprintf("%s is a 4via6 route, to %s behind the subnet router of site %d, and not an address of a device: the route is not accepted here, "+
		"not approved, or its router is offline", r.Address, inside, site)

	if !e.reachesTailnet(r.From) && !e.hasTailscaled(r.From) {
		cause += "; or this place is not on the tailnet at all"
	}

	return Finding{
		Code: CodeRouteSilent, Cause: cause,
		Next: []string{
			"accept routes on this machine: tailscale set --accept-routes; on a Talos node: talos-tsbridge --accept-routes",
			"see in the admin console that the router is connected and its route approved (Machines, Edit route settings)",
			fmt.Sprintf("allow %s in the tailnet's policy file, and see that %s answers to the router itself", r.Address, inside),
		},
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
func unreachableFrom(r Result) Finding {
	switch {
	case r.From == PlacePod:
		return Finding{
			Code: CodeTailnetUnreachable,
			Cause: "no tailnet address is reached from this pod: its node is not on the tailnet, runs with TS_USERSPACE=true, pod traffic is not masqueraded, " +
				"or a NetworkPolicy does not let the pod out",
			Next: []string{
				"look at the node: talos-tsbridge verify --nodes NODE",
				"try the same from the node, talos-tsbridge verify --manifest --from node --on-node NODE TARGET, and from a machine of the tailnet, " +
					"talos-tsbridge verify -o json TARGET; both outputs, given here with --also, tell the causes apart",
				networkPolicy,
			},
		}
	case r.UnusedProxy != "":
		return Finding{
			Code: CodeProxyUnused,
			Cause: "no tailnet address is reached from here directly, and the environment names a proxy, " + r.UnusedProxy +
				": where tailscaled runs in userspace mode, without a network device, the proxy is the only way",
			Next: []string{"go through it: --proxy " + r.UnusedProxy, "programs that know nothing of ALL_PROXY do not reach the tailnet here; on a Talos node, leave --userspace out"},
		}
	case r.From == PlaceNode:
		return Finding{
			Code:  CodeTailnetUnreachable,
			Cause: "no tailnet address is reached from this node: it is not on the tailnet, runs with TS_USERSPACE=true, or the tailnet's policy allows it nothing",
			Next:  []string{"look at it through the Talos API: talos-tsbridge verify --nodes NODE"},
		}
	case r.Proxy != "":
		return Finding{
			Code:  CodeTailnetUnreachable,
			Cause: "no tailnet address is reached through the proxy " + r.Proxy + ": its tailscaled is not on the tailnet, or the tailnet's policy allows it nothing",
			Next:  []string{"look at tailscaled behind the proxy: tailscale status"},
		}
	}

	return Finding{
		Code:  CodeTailnetUnreachable,
		Cause: "no tailnet address is reached from here: this machine is not on the tailnet, or the tailnet's policy allows it nothing",
		Next: []string{
			"run tailscale status on this machine, and tailscale up where it says that it is stopped",
			"where tailscaled runs in userspace mode (containers, CI), go through its proxy: --proxy socks5://127.0.0.1:1055",
		},
	}
}

const checkListens = "check that the server runs, and that it listens on its tailnet address or on all, not on 127.0.0.1 alone"

func (e evidence) explainAnswer(r Result) Finding {
	switch r.Outcome {
	case OutcomeRefused:
		return Finding{
			Code:  CodeRefused,
			Cause: fmt.Sprintf("%s is reached, and nothing listens on its port %d", r.Address, r.Port),
			Next:  []string{checkListens},
		}
	case OutcomeClosed:
		return explainClosed(r)
	case OutcomeTLSName, OutcomeTLSUntrusted, OutcomeTLSExpired, OutcomeTLSInvalid:
		return explainCertificate(r)
	case OutcomeTLSVersion:
		return explainVersion(r, "")
	case OutcomeTLSTimeout:
		return explainStalled(r)
	case OutcomeTLSRefused:
		return explainAlert(r)
	case OutcomeNotTLS:
		return explainNotTLS(r)
	case OutcomeNoHTTP:
		return Finding{
			Code: CodeNoHTTP, Cause: r.Detail,
			Next: []string{"check the port, and the server's log: tcp:// tells whether it is open"},
		}
	case OutcomeNotTailnet:
		if isForeign(r) {
			return explainForeign(r)
		}

		return notTailnet(r.Detail)
	case OutcomeProxy:
		return e.explainProxy(r)
	case OutcomeExhausted:
		return Finding{
			Code: CodeExhausted, Cause: "this machine has no file descriptor left for a connection, so nothing is known about the target",
			Next: []string{"raise the limit (ulimit -n), or try fewer targets at a time: --parallel 4"},
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
