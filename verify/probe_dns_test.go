package verify_test

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

func TestDNS(t *testing.T) {
	t.Parallel()

	for _, test := range []struct {
		name      string
		want      verify.Outcome
		code      string
		transport string
		addresses int
	}{
		{"ok", verify.OutcomeOK, "NOERROR", "udp", 1},
		{"six", verify.OutcomeOK, "NOERROR", "udp", 1},
		{"old", verify.OutcomeOK, "NOERROR", "udp", 1},
		{"late", verify.OutcomeOK, "NOERROR", "udp", 1},
		{"forged", verify.OutcomeOK, "NOERROR", "udp", 1},
		{"big", verify.OutcomeOK, "NOERROR", "tcp", 200},
		{"bigsilent", verify.OutcomeDNSTimeout, "", "tcp", 0},
		{"none", verify.OutcomeNoAddress, "NOERROR", "udp", 0},
		{"nx", verify.OutcomeNoSuchName, "NXDOMAIN", "udp", 0},
		{"fail", verify.OutcomeServFail, "SERVFAIL", "udp", 0},
		{"refuse", verify.OutcomeDNSRefused, "REFUSED", "udp", 0},
		{"notimp", verify.OutcomeDNSRefused, "NOTIMP", "udp", 0},
		{"silent", verify.OutcomeDNSTimeout, "", "udp", 0},
		{"garbage", verify.OutcomeDNSBroken, "", "udp", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			server := serveDNS(t)
			timeout := verify.DefaultTimeout // a question is asked again after a part of it
			if test.want == verify.OutcomeDNSTimeout {
				timeout = 10 * short
			}

			result := check(t, &verify.Checker{Timeout: timeout}, "dns://"+test.name+".test@"+server.String())[0]

			assert.Equal(t, test.want, result.Outcome, result.Detail)
			assert.Equal(t, test.code, result.DNS.Code)
			assert.Equal(t, test.transport, result.DNS.Transport)
			assert.Equal(t, server.String(), result.DNS.Server)
			assert.Len(t, result.DNS.Addresses, test.addresses)
		})
	}

	result := check(t, &verify.Checker{}, "dns://ok.test@"+closedPort(t).String())[0]
	assert.Equal(t, verify.OutcomeDNSUnreachable, result.Outcome)
}

// systemNames is a system's resolver that asks one of the tests' servers.
func systemNames(server *nameServer) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.String())
	}}
}

func TestSystemResolver(t *testing.T) {
	t.Parallel()

	server := serveDNS(t)
	results := check(t, &verify.Checker{Resolver: systemNames(server)}, "dns://ok.test.", "dns://nx.test", "dns://fail.test", "tcp://fail.test:80")

	assert.Equal(t, verify.OutcomeOK, results[0].Outcome)
	assert.Equal(t, "100.82.13.87", results[0].Address.String())
	assert.Equal(t, verify.OutcomeNoSuchName, results[1].Outcome)
	assert.Equal(t, verify.OutcomeServFail, results[2].Outcome)
	assert.Equal(t, verify.OutcomeServFail, results[3].Outcome)

	assert.Equal(t, verify.OutcomeDNSTimeout, check(t, &verify.Checker{Timeout: short, Resolver: systemNames(server)}, "dns://silent.test")[0].Outcome)
}

// fixedNames is a system's resolver with the names of a hosts file.
type fixedNames map[string]string

func (f fixedNames) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if address, ok := f[host]; ok {
		return []netip.Addr{netip.MustParseAddr(address)}, nil
	}

	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func TestTailnet(t *testing.T) {
	t.Parallel()

	magic := serveDNS(t)
	checker := &verify.Checker{
		MagicDNS: magic.AddrPort,
		Resolver: fixedNames{"ok.test": "100.82.13.87", "ok.stale": "100.99.99.99", "ok.lan": "192.168.1.5", "silent.test": "100.82.13.87"},
	}
	results := check(t, checker, "tailnet://ok.test", "tailnet://ok.stale", "tailnet://ok.lan", "tailnet://ok.missing")

	assert.Equal(t, verify.OutcomeOK, results[0].Outcome)
	assert.Equal(t, verify.OutcomeStale, results[1].Outcome)
	assert.Equal(t, verify.OutcomeNotTailnet, results[2].Outcome)
	assert.Equal(t, verify.OutcomeNoSuchName, results[3].Outcome)
	assert.Equal(t, verify.OutcomeOK, results[3].MagicDNS.Outcome)

	checker.Timeout = 10 * short
	result := check(t, checker, "tailnet://silent.test")[0]
	assert.Equal(t, verify.OutcomeOK, result.Outcome, "a name that resolves works without MagicDNS")
	assert.Equal(t, verify.OutcomeDNSTimeout, result.MagicDNS.Outcome)
}
