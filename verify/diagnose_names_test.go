package verify_test

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

// resolverOf is a resolver with fixed answers, which has no other names.
type resolverOf map[string][]string

func (r resolverOf) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	answers, ok := r[host]
	if !ok && r["*"] != nil {
		answers, ok = r["*"], true
	}

	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}

	var addresses []netip.Addr
	for _, text := range answers {
		addresses = append(addresses, netip.MustParseAddr(text))
	}

	return addresses, nil
}

// A name of a tailnet that leads elsewhere: who answered for it is what the finding says.
func TestForeignAnswers(t *testing.T) {
	t.Parallel()

	const name = "vault.tail1234.ts.net"

	names := serveDNS(t)

	for _, test := range []struct {
		name     string
		resolver resolverOf
		want     verify.Code
	}{
		{"Funnel", resolverOf{name: {"208.111.34.1"}, name + ".": {"208.111.34.1"}}, verify.CodeFunnel},
		{"Funnel, IPv6", resolverOf{name: {"2607:f740:0:3f::1"}, name + ".": {"2607:f740:0:3f::1"}}, verify.CodeFunnel},
		{"a search domain", resolverOf{name: {"203.0.113.9"}}, verify.CodeSearchDomain},
		{"a search domain of the LAN", resolverOf{name: {"192.168.1.9"}, name + ".": {"208.111.34.1"}}, verify.CodeSearchDomain},
		{"a wildcard", resolverOf{"*": {"198.51.100.1"}}, verify.CodeWildcard},
		{"a wildcard of the LAN", resolverOf{"*": {"10.0.0.1"}}, verify.CodeWildcard},
		{"another server", resolverOf{name: {"192.168.1.9"}, name + ".": {"192.168.1.9"}}, verify.CodeNotTailnet},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			checker := &verify.Checker{Resolver: test.resolver, MagicDNS: names.AddrPort, Timeout: short}
			result := check(t, checker, "tailnet://"+name)[0]
			assert.Equal(t, verify.OutcomeNotTailnet, result.Outcome)
			assert.Equal(t, []verify.Code{test.want}, codes(verify.Diagnose([]verify.Result{result})))

			// the same behind another kind of target that resolves, as a warning
			result = check(t, checker, "dns://"+name)[0]
			findings := verify.Diagnose([]verify.Result{result})
			require.Equal(t, []verify.Code{test.want}, codes(findings))
			assert.Equal(t, verify.SeverityWarning, findings[0].Severity)
		})
	}

	// the right answer has nothing to be examined
	result := check(t, &verify.Checker{Resolver: resolverOf{name: {"100.82.13.87"}}, MagicDNS: names.AddrPort}, "tailnet://"+name)[0]
	assert.Nil(t, result.Absolute)
}

// What MagicDNS says about a name that is none of the tailnet, and what that means to who does not ask it.
func TestSplitDNS(t *testing.T) {
	t.Parallel()

	const name = "db.corp.example.com"

	seen := func(server string, outcome verify.Outcome) verify.Result {
		return verify.Result{
			Target: "dns://" + name, Kind: verify.KindDNS, Host: name, From: verify.PlacePod, Outcome: outcome,
			DNS: &verify.DNS{Server: server, Outcome: outcome, Code: "X"},
		}
	}

	for _, magic := range []string{"100.100.100.100:53", "[fd7a:115c:a1e0::53]:53"} {
		assert.Equal(t, []verify.Code{verify.CodeSplitDNS},
			codes(verify.Diagnose([]verify.Result{seen(magic, verify.OutcomeOK), seen(verify.SystemResolver, verify.OutcomeNoSuchName)})))
		assert.Equal(t, []verify.Code{verify.CodeSplitDNS},
			codes(verify.Diagnose([]verify.Result{seen(magic, verify.OutcomeOK), seen("10.96.0.10:53", verify.OutcomeNoSuchName)})))

		// a tailnet of Headscale has a domain of its own
		device := seen(magic, verify.OutcomeOK)
		device.DNS.Addresses = []netip.Addr{netip.MustParseAddr("100.82.13.87")}
		assert.Equal(t, []verify.Code{verify.CodeNamesNotBridged},
			codes(verify.Diagnose([]verify.Result{device, seen("10.96.0.10:53", verify.OutcomeNoSuchName)})))

		assert.Equal(t, []verify.Code{verify.CodeNotMagicDNS}, codes(verify.Diagnose([]verify.Result{seen(magic, verify.OutcomeServFail)})))
		assert.Equal(t, []verify.Code{verify.CodeNameUnknown}, codes(verify.Diagnose([]verify.Result{seen(magic, verify.OutcomeNoSuchName)})))
	}
}

// An answer of MagicDNS, at either address, is evidence that tailscaled runs here.
func TestMagicDNSIsEvidence(t *testing.T) {
	t.Parallel()

	silent := result(t, verify.PlaceHost, vaultTCP, verify.OutcomeTimeout)

	for _, server := range []string{"100.100.100.100:53", "[fd7a:115c:a1e0::53]:53"} {
		answered := verify.Result{
			Target: vaultDNS, Kind: verify.KindDNS, Host: vaultName, From: verify.PlaceHost, Outcome: verify.OutcomeNoSuchName,
			DNS: &verify.DNS{Server: server, Outcome: verify.OutcomeNoSuchName, Code: "NXDOMAIN"},
		}
		assert.ElementsMatch(t, []verify.Code{verify.CodePeerSilent, verify.CodeNameUnknown}, codes(verify.Diagnose([]verify.Result{silent, answered})))
	}
}
