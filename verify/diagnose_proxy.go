package verify

import (
	"fmt"
	"slices"
)

// explainProxy explains what a proxy did not get through to. tailscaled's says the same of a port that is closed, one to which
// packets are dropped and a device that is off; what else it got through to tells them from a proxy that is at fault itself.
func (e evidence) explainProxy(r Result) Finding {
	through := func(same func(Result) bool) int {
		return slices.IndexFunc(e, func(o Result) bool {
			return o.Proxy == r.Proxy && r.Proxy != "" && o.From == r.From && o.Port != 0 && !o.Outcome.silent() && !o.Outcome.name() && same(o) &&
				o.Outcome != OutcomeProxy && o.Outcome != OutcomeCanceled && o.Outcome != OutcomeFailed && o.Outcome != OutcomeExhausted
		})
	}

	if i := through(func(o Result) bool { return o.Host == r.Host && o.Address == r.Address && o.Port != r.Port }); i >= 0 {
		return Finding{
			Code: CodePortFiltered,
			Cause: fmt.Sprintf("through the proxy %s answers on port %d and not on port %d: nothing listens there, or a firewall or the tailnet's policy drops the packets, "+
				"and the proxy does not say which", r.at(), e[i].Port, r.Port),
			Next: []string{
				checkListens,
				fmt.Sprintf("allow port %d in the tailnet's policy file for this machine, and in the firewall of the device", r.Port),
			},
		}
	}

	if through(func(Result) bool { return true }) >= 0 {
		return peerSilent("other addresses are reached through the proxy, so " + r.at() + " is offline, nothing listens on the port, or the tailnet's policy does not allow the connection")
	}

	return Finding{
		Code: CodeProxy, Cause: orDefault(r.Detail, "the proxy does not get through"),
		Next: []string{
			"see that tailscaled runs and serves the proxy (--socks5-server, --outbound-http-proxy-listen): tcp://HOST:PORT of the proxy",
			"tailscaled says in its log why it does not reach an address: the device is offline, or the tailnet's policy does not allow it",
		},
	}
}

// at is where a target is, as far as this side knows.
func (r Result) at() string {
	if r.Address.IsValid() {
		return r.Address.String()
	}

	return r.Host
}
