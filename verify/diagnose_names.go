package verify

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

// explainName explains why a name does not resolve.
func (e evidence) explainName(r Result) Finding {
	if r.DNS != nil && r.DNS.Server != SystemResolver {
		return e.explainServer(r)
	}

	magic := e.magicDNS(r)
	ofTailnet := r.Kind == KindTailnet || isTailnetName(r.Host)

	switch {
	case e.hasSplitDNS(r) && !ofTailnet:
		return splitDNS(r.Host)
	case magic == OutcomeOK, e.answersAtAddress(r):
		return namesNotBridged()
	case magic == OutcomeNoSuchName || magic == OutcomeServFail:
		return nameUnknown()
	case ofTailnet && e.reachesTailnet(r.From):
		return namesNotBridged()
	case ofTailnet && (magic == OutcomeDNSTimeout || magic == OutcomeDNSUnreachable):
		return unreachableFrom(r)
	case ofTailnet:
		finding := namesNotBridged()
		finding.Cause = "the name belongs to a tailnet, and this resolver is not one that knows its names"
		finding.Next = append([]string{"see whether the tailnet itself is reached: tcp://100.x.y.z:PORT, and dns://" + r.Host + "@100.100.100.100"}, finding.Next...)

		return finding
	}

	return explainResolver(r, "the system's resolver")
}

// isTailnetName reports whether a name is of Tailscale's domain for tailnets.
func isTailnetName(name string) bool { return strings.HasSuffix(name, ".ts.net") }

// namesNotBridged is about names that the tailnet has and the resolver in use has not.
func namesNotBridged() Finding {
	return Finding{
		Code: CodeNamesNotBridged,
		Cause: "the tailnet is there and its names are not: the resolver in use does not ask MagicDNS, " +
			"which is how pods and nodes are unless names are bridged",
		Next: []string{
			"one of three ways: static hosts on the nodes, talos-tsbridge --static-host NAME=IP (Talos 1.14 and later; a copy, to be changed with the IP)",
			"or the resolver of MagicDNS on the nodes, before the usual ones: talos-tsbridge --magicdns resolver --nameserver IP (every Talos; lookups take " +
				"2 s longer while tailscaled is down)",
			"or a stub zone in CoreDNS that forwards the tailnet's domain to 100.100.100.100 (talosctl upgrade-k8s takes it away again). " +
				"Without any, connect to the IP and say the name in TLS: https://NAME:PORT/@IP",
		},
	}
}

func nameUnknown() Finding {
	return Finding{
		Code:  CodeNameUnknown,
		Cause: "MagicDNS answers, and has no device of this name",
		Next: []string{
			"write the full name that the admin console shows: a device that registered twice is called NAME-1, and MagicDNS has the names of its own tailnet only",
			"check that MagicDNS is switched on, in the DNS page of the admin console",
		},
	}
}

// magicDNS returns how MagicDNS answers for the name of a result. It is empty when nobody asked.
func (e evidence) magicDNS(r Result) Outcome {
	if answer := e.magicDNSAnswer(r); answer != nil {
		return answer.Outcome
	}

	return ""
}

// magicDNSAnswer returns what MagicDNS says about the name of a result, in the same place: in the result itself or in that
// of a target that asks it. It is nil when nobody asked.
func (e evidence) magicDNSAnswer(r Result) *DNS {
	if r.MagicDNS != nil {
		return r.MagicDNS
	}

	for _, other := range e {
		switch {
		case other.From != r.From || other.Host != r.Host:
		case other.MagicDNS != nil:
			return other.MagicDNS
		case other.DNS != nil && isMagicDNS(other.DNS.Server):
			return other.DNS
		}
	}

	return nil
}

// hasSplitDNS reports whether MagicDNS has the name of a result from a server that the tailnet uses for its domain. A name
// with a tailnet address is one of the tailnet itself: Headscale's tailnets have domains of their own.
func (e evidence) hasSplitDNS(r Result) bool {
	answer := e.magicDNSAnswer(r)

	return answer != nil && answer.Outcome == OutcomeOK && !isTailnetName(r.Host) && strings.Contains(r.Host, ".") &&
		!slices.ContainsFunc(answer.Addresses, tailaddr.Contains)
}

// answersAtAddress reports whether the host of a result answers at a tailnet address that was given with it.
func (e evidence) answersAtAddress(r Result) bool {
	return e.any(func(o Result) bool {
		return o.From == r.From && o.Host == r.Host && o.Outcome == OutcomeOK && o.DNS == nil && tailaddr.Contains(o.Address)
	})
}

func isMagicDNS(server string) bool {
	address, err := netip.ParseAddrPort(server)

	return err == nil && tailaddr.IsMagicDNS(address.Addr())
}

// serverOf returns the address of a server without its port.
func serverOf(server string) string {
	address, err := netip.ParseAddrPort(server)
	if err != nil {
		return server
	}

	return address.Addr().String()
}

// splitDNS is about a name for which the tailnet has a server of its own, which the resolver in use does not ask.
func splitDNS(name string) Finding {
	_, domain, _ := strings.Cut(name, ".")

	return Finding{
		Code:  CodeSplitDNS,
		Cause: "MagicDNS has " + name + " from the server that the tailnet uses for its domain (split DNS), and the resolver in use does not ask MagicDNS",
		Next: []string{
			"let the cluster ask it: a stub zone in CoreDNS that forwards " + domain + " to 100.100.100.100, or the resolver of MagicDNS on the nodes: talos-tsbridge --magicdns resolver --nameserver IP",
			"or ask the server itself, where pods reach it: its address stands in the admin console, DNS",
		},
	}
}

// explainForeign explains a name of a tailnet that was answered with an address outside of it.
func explainForeign(r Result) Finding {
	answer := r.Host + " is answered with " + joinAddresses(r.DNS.Addresses) + ", which is no address of a tailnet"

	switch {
	case r.Absolute != nil && !haveCommon(r.Absolute.Addresses, r.DNS.Addresses):
		return Finding{
			Code: CodeSearchDomain,
			Cause: answer + ": a search domain answers, since the name with a final dot is answered otherwise; it is tried first for names with few dots " +
				"(ndots: 5 in pods)",
			Next: []string{
				"write the name with a final dot where a program takes one, or let ndots be 1 (dnsConfig of the pod)",
				"remove the record for every name (*) from the search domain, or the search domain from the node",
				"bridge the name, and it resolves before: talos-tsbridge --static-host " + r.Host + "=IP",
			},
		}
	case r.Wildcard:
		return Finding{
			Code:  CodeWildcard,
			Cause: answer + ": the name server answers for names that nobody has, so it is a wildcard record, or a provider that redirects unknown names",
			Next: []string{
				"ask a server that says so when a name does not exist, or switch the redirection off",
				"bridge the name, and it resolves before: talos-tsbridge --static-host " + r.Host + "=IP",
			},
		}
	case isTailnetName(r.Host) && slices.ContainsFunc(r.DNS.Addresses, isPublic):
		return Finding{
			Code:  CodeFunnel,
			Cause: answer + " but of Tailscale's Funnel: the resolver in use is the public DNS, and connections go through the internet and Funnel's relays instead of the tailnet",
			Next: []string{
				"let the name resolve to its tailnet address: ask MagicDNS (dns://" + r.Host + "@100.100.100.100), and bridge it: talos-tsbridge --static-host " + r.Host + "=IP",
				"where Funnel is meant: it serves the ports 443, 8443 and 10000 alone, and no policy of the tailnet applies",
			},
		}
	}

	return notTailnet(answer)
}

// notTailnet is about a name of a tailnet that leads out of it, for no reason that can be seen.
func notTailnet(answer string) Finding {
	return Finding{
		Code: CodeNotTailnet, Cause: answer + ": another name server answers for it",
		Next: []string{"write the device's full name, as the admin console shows it", "look for a wildcard or a search domain that catches the name"},
	}
}

// isPublic reports whether an address is one of the internet.
func isPublic(address netip.Addr) bool {
	return address.IsGlobalUnicast() && !address.IsPrivate() && !tailaddr.Contains(address)
}

// explainServer explains the failure of a server that was asked by its address.
func (e evidence) explainServer(r Result) Finding {
	if !isMagicDNS(r.DNS.Server) {
		if r.Outcome == OutcomeNoSuchName && e.magicDNS(r) == OutcomeOK {
			if e.hasSplitDNS(r) {
				return splitDNS(r.Host)
			}

			return namesNotBridged()
		}

		return explainResolver(r, r.DNS.Server)
	}

	switch {
	case r.Outcome == OutcomeServFail && !isTailnetName(r.Host) && strings.Contains(r.Host, "."):
		return Finding{
			Code: CodeNotMagicDNS,
			Cause: "MagicDNS does not answer for " + r.Host + " (SERVFAIL): it has the names of the tailnet, and asks other servers only for domains that the tailnet has one for, " +
				"or where this machine accepts the tailnet's DNS settings",
			Next: []string{
				"ask the server that has the name: dns://" + r.Host + "@SERVER",
				"or give the tailnet a server for the domain: admin console, DNS, Add nameserver, Restrict to domain (split DNS)",
			},
		}
	case r.Outcome == OutcomeNoSuchName || r.Outcome == OutcomeServFail:
		return nameUnknown()
	case (r.Outcome == OutcomeDNSTimeout || r.Outcome == OutcomeDNSUnreachable) && !e.reachesTailnet(r.From):
		return unreachableFrom(r)
	case r.Outcome == OutcomeDNSTimeout || r.Outcome == OutcomeDNSUnreachable:
		return Finding{
			Code:  CodeMagicDNSSilent,
			Cause: "devices of the tailnet are reached and MagicDNS at " + serverOf(r.DNS.Server) + " is not",
			Next: []string{
				"check that no firewall and no NetworkPolicy drops port 53 to " + serverOf(r.DNS.Server),
				"ask its other address: it is 100.100.100.100 where the machine has an IPv4 address of the tailnet, and fd7a:115c:a1e0::53 where it has an IPv6 one",
				"look at the log of the extension: talosctl logs ext-tailscale",
			},
		}
	}

	return explainResolver(r, r.DNS.Server)
}

// explainResolver explains the failure of a resolver about which nothing else is known.
func explainResolver(r Result, resolver string) Finding {
	switch r.Outcome {
	case OutcomeNoSuchName:
		return Finding{
			Code:  CodeNXDomain,
			Cause: resolver + " is certain that there is no such name (NXDOMAIN): asking another way or later does not help",
			Next:  []string{"check the spelling of the name", "for a name of the tailnet, ask MagicDNS: dns://" + r.Host + "@100.100.100.100"},
		}
	case OutcomeServFail:
		return Finding{
			Code:  CodeServFail,
			Cause: resolver + " could not find out (SERVFAIL): a server that it asks itself failed, which says nothing about the name",
			Next:  []string{"try again with --wait 1m", "ask another server: dns://" + r.Host + "@100.100.100.100, dns://" + r.Host + "@1.1.1.1"},
		}
	case OutcomeNoAddress:
		return Finding{
			Code: CodeNoAddress, Cause: "the name exists and has no address",
			Next: []string{"look at what it has instead: dig NAME ANY; an alias may lead nowhere"},
		}
	case OutcomeDNSRefused:
		said := "REFUSED"
		if r.DNS != nil && r.DNS.Code != "" {
			said = r.DNS.Code
		}

		return Finding{
			Code: CodeDNSFailed, Cause: resolver + " is there and does not answer for " + r.Host + " (" + said + "): it has no such zone, and looks nothing up for who asks from here",
			Next: []string{
				"ask the server that has the name: dns://" + r.Host + "@SERVER; for a name of the tailnet that is MagicDNS, 100.100.100.100",
				"or let it answer: a zone or a forwarder for the domain, and recursion for the addresses that ask (allow-recursion in BIND, acl in CoreDNS)",
			},
		}
	default:
		return Finding{
			Code: CodeDNSFailed, Cause: orDefault(r.Detail, resolver+" does not answer"),
			Next: []string{"check that the server runs and that port 53 to it is open, over UDP and TCP", "ask another one: dns://" + r.Host + "@100.100.100.100"},
		}
	}
}
