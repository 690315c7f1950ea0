package verify

import (
	"net/netip"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

// explainName explains why a name does not resolve.
func (e evidence) explainName(r Result) Finding {
	if r.DNS != nil && r.DNS.Server != SystemResolver {
		return e.explainServer(r)
	}

	magic := e.magicDNS(r)
	isTailnetName := r.Kind == KindTailnet || strings.HasSuffix(r.Host, ".ts.net")

	switch {
	case magic == OutcomeOK, e.answersAtAddress(r):
		return namesNotBridged()
	case magic == OutcomeNoSuchName || magic == OutcomeServFail:
		return nameUnknown()
	case isTailnetName && e.reachesTailnet(r.From):
		return namesNotBridged()
	case isTailnetName && (magic == OutcomeDNSTimeout || magic == OutcomeDNSUnreachable):
		return unreachableFrom(r.From)
	case isTailnetName:
		finding := namesNotBridged()
		finding.Cause = "the name belongs to a tailnet, and this resolver is not one that knows its names"
		finding.Next = append([]string{"see whether the tailnet itself is reached: tcp://100.x.y.z:PORT, and dns://" + r.Host + "@100.100.100.100"}, finding.Next...)

		return finding
	}

	return explainResolver(r, "the system's resolver")
}

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

// magicDNS returns what MagicDNS says about the name of a result, in the same place: in the result itself or in that of
// a target that asks it. It is empty when nobody asked.
func (e evidence) magicDNS(r Result) Outcome {
	if r.MagicDNS != nil {
		return r.MagicDNS.Outcome
	}

	for _, other := range e {
		switch {
		case other.From != r.From || other.Host != r.Host:
		case other.MagicDNS != nil:
			return other.MagicDNS.Outcome
		case other.DNS != nil && isMagicDNS(other.DNS.Server):
			return other.DNS.Outcome
		}
	}

	return ""
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

// explainServer explains the failure of a server that was asked by its address.
func (e evidence) explainServer(r Result) Finding {
	if !isMagicDNS(r.DNS.Server) {
		if r.Outcome == OutcomeNoSuchName && e.magicDNS(r) == OutcomeOK {
			return namesNotBridged()
		}

		return explainResolver(r, r.DNS.Server)
	}

	switch {
	case r.Outcome == OutcomeNoSuchName || r.Outcome == OutcomeServFail:
		return nameUnknown()
	case (r.Outcome == OutcomeDNSTimeout || r.Outcome == OutcomeDNSUnreachable) && !e.reachesTailnet(r.From):
		return unreachableFrom(r.From)
	case r.Outcome == OutcomeDNSTimeout || r.Outcome == OutcomeDNSUnreachable:
		return Finding{
			Code:  CodeMagicDNSSilent,
			Cause: "devices of the tailnet are reached and MagicDNS at 100.100.100.100 is not",
			Next:  []string{"check that no firewall and no network policy drops port 53 to 100.100.100.100", "look at the log of the extension: talosctl logs ext-tailscale"},
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
	default:
		return Finding{
			Code: CodeDNSFailed, Cause: orDefault(r.Detail, resolver+" does not answer"),
			Next: []string{"check that the server runs and that port 53 to it is open, over UDP and TCP", "ask another one: dns://" + r.Host + "@100.100.100.100"},
		}
	}
}
