package verify_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

const (
	vaultName = "lushycorp-vault.magellanic-gondola.ts.net"
	vaultTCP  = "tcp://100.82.13.87:8200"
	vaultTLS  = "https://" + vaultName + ":8200/@100.82.13.87"
	vaultDNS  = "dns://" + vaultName
	magicDNS  = vaultDNS + "@100.100.100.100"
)

// result makes the result that a target has with an outcome.
func result(t *testing.T, from verify.Place, text string, outcome verify.Outcome) verify.Result {
	t.Helper()

	target, err := verify.ParseTarget(text)
	require.NoError(t, err)

	r := verify.Result{
		Target: target.String(), Kind: target.Kind(), Host: target.Host(), From: from, Outcome: outcome, Attempts: 1, Detail: "detail",
	}

	switch r.Kind {
	case verify.KindDNS, verify.KindTailnet:
		server := verify.SystemResolver
		if text == magicDNS {
			server = "100.100.100.100:53"
		} else if r.Kind == verify.KindDNS && text != vaultDNS {
			server = "10.96.0.10:53"
		}

		r.DNS = &verify.DNS{Server: server, Outcome: outcome}
	default:
		r.Address = netip.MustParseAddr("100.82.13.87")
		r.Port = 8200
	}

	return r
}

func codes(findings []verify.Finding) []verify.Code {
	list := []verify.Code{}
	for _, finding := range findings {
		list = append(list, finding.Code)
	}

	return list
}

func TestDiagnose(t *testing.T) {
	t.Parallel()

	type seen struct {
		from    verify.Place
		target  string
		outcome verify.Outcome
	}

	pod, node, host := verify.PlacePod, verify.PlaceNode, verify.PlaceHost

	for _, test := range []struct {
		name    string
		results []seen
		want    []verify.Code
	}{
		{"all green", []seen{{pod, vaultTCP, verify.OutcomeOK}, {pod, vaultTLS, verify.OutcomeOK}, {pod, vaultDNS, verify.OutcomeOK}}, nil},
		{"address and SNI work, the name does not", []seen{{pod, vaultTCP, verify.OutcomeOK}, {pod, vaultTLS, verify.OutcomeOK}, {pod, vaultDNS, verify.OutcomeNoSuchName}},
			[]verify.Code{verify.CodeNamesNotBridged}},
		{"address works, the name fails in another way", []seen{{pod, vaultTCP, verify.OutcomeOK}, {pod, vaultDNS, verify.OutcomeServFail}},
			[]verify.Code{verify.CodeNamesNotBridged}},
		{"MagicDNS has the name, the system has not", []seen{{pod, magicDNS, verify.OutcomeOK}, {pod, vaultDNS, verify.OutcomeNoSuchName}},
			[]verify.Code{verify.CodeNamesNotBridged}},
		{"MagicDNS has the name, the cluster's server has not", []seen{{pod, magicDNS, verify.OutcomeOK}, {pod, vaultDNS + "@10.96.0.10", verify.OutcomeNoSuchName}},
			[]verify.Code{verify.CodeNamesNotBridged}},
		{"a port of an address that answers a name's other port", []seen{{pod, vaultTLS, verify.OutcomeOK}, {pod, vaultDNS, verify.OutcomeDNSTimeout}},
			[]verify.Code{verify.CodeNamesNotBridged}},
		{"MagicDNS does not have the name", []seen{{pod, magicDNS, verify.OutcomeServFail}, {pod, vaultDNS, verify.OutcomeNoSuchName}},
			[]verify.Code{verify.CodeNameUnknown}},
		{"the same, and the tailnet is reached", []seen{{pod, vaultTCP, verify.OutcomeOK}, {pod, magicDNS, verify.OutcomeNoSuchName}},
			[]verify.Code{verify.CodeNameUnknown}},
		{"MagicDNS is silent alone", []seen{{pod, vaultTCP, verify.OutcomeOK}, {pod, magicDNS, verify.OutcomeDNSTimeout}}, []verify.Code{verify.CodeMagicDNSSilent}},
		{"MagicDNS is silent with the rest", []seen{{pod, vaultTCP, verify.OutcomeTimeout}, {pod, magicDNS, verify.OutcomeDNSTimeout}, {pod, vaultDNS, verify.OutcomeNoSuchName}},
			[]verify.Code{verify.CodeTailnetUnreachable}},
		{"SERVFAIL of a server", []seen{{pod, vaultDNS + "@10.96.0.10", verify.OutcomeServFail}}, []verify.Code{verify.CodeServFail}},
		{"NXDOMAIN of a server", []seen{{pod, vaultDNS + "@10.96.0.10", verify.OutcomeNoSuchName}}, []verify.Code{verify.CodeNXDomain}},
		{"SERVFAIL of the system", []seen{{host, "tcp://vault.lan:80", verify.OutcomeServFail}}, []verify.Code{verify.CodeServFail}},
		{"NXDOMAIN of the system", []seen{{host, "tcp://vault.lan:80", verify.OutcomeNoSuchName}}, []verify.Code{verify.CodeNXDomain}},
		{"no server answers", []seen{{host, "tcp://vault.lan:80", verify.OutcomeDNSTimeout}}, []verify.Code{verify.CodeDNSFailed}},
		{"a tailnet name alone", []seen{{pod, vaultDNS, verify.OutcomeNoSuchName}}, []verify.Code{verify.CodeNamesNotBridged}},
		{"unreachable from a pod, reached from the node", []seen{{pod, vaultTCP, verify.OutcomeTimeout}, {node, vaultTCP, verify.OutcomeOK}},
			[]verify.Code{verify.CodeNoMasquerade}},
		{"unreachable from a pod, refused from the node", []seen{{pod, vaultTCP, verify.OutcomeTimeout}, {node, vaultTCP, verify.OutcomeRefused}},
			[]verify.Code{verify.CodeNoMasquerade, verify.CodeRefused}},
		{"unreachable from a pod, reached from a laptop", []seen{{pod, vaultTCP, verify.OutcomeUnreachable}, {host, vaultTCP, verify.OutcomeOK}},
			[]verify.Code{verify.CodeNoMasquerade}},
		{"unreachable from both", []seen{{pod, vaultTCP, verify.OutcomeTimeout}, {host, vaultTCP, verify.OutcomeTimeout}},
			[]verify.Code{verify.CodeTailnetUnreachable, verify.CodeTailnetUnreachable}},
		{"unreachable from a pod alone", []seen{{pod, vaultTCP, verify.OutcomeTimeout}}, []verify.Code{verify.CodeTailnetUnreachable}},
		{"refused", []seen{{pod, vaultTCP, verify.OutcomeRefused}}, []verify.Code{verify.CodeRefused}},
		{"closed", []seen{{pod, vaultTCP, verify.OutcomeClosed}}, []verify.Code{verify.CodeClosed}},
		{"the port opens and TLS stalls", []seen{{pod, vaultTCP, verify.OutcomeOK}, {pod, vaultTLS, verify.OutcomeTLSTimeout}}, []verify.Code{verify.CodeTLSStalled}},
		{"stale copy", []seen{{pod, "tailnet://" + vaultName, verify.OutcomeStale}}, []verify.Code{verify.CodeStaleCopy}},
		{"ended", []seen{{pod, vaultTCP, verify.OutcomeCanceled}}, []verify.Code{verify.CodeCanceled}},
		{"one cause for two", []seen{{pod, vaultTCP, verify.OutcomeRefused}, {pod, vaultTLS, verify.OutcomeRefused}}, []verify.Code{verify.CodeRefused}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			var results []verify.Result
			for _, s := range test.results {
				results = append(results, result(t, s.from, s.target, s.outcome))
			}

			assert.ElementsMatch(t, test.want, codes(verify.Diagnose(results)))
		})
	}
}

func TestDiagnoseOthers(t *testing.T) {
	t.Parallel()

	silent := result(t, verify.PlaceHost, vaultTCP, verify.OutcomeTimeout)

	other := result(t, verify.PlaceHost, vaultTCP, verify.OutcomeOK)
	other.Address = netip.MustParseAddr("100.82.13.88")
	assert.Equal(t, []verify.Code{verify.CodePeerSilent}, codes(verify.Diagnose([]verify.Result{silent, other})))

	port := result(t, verify.PlaceHost, vaultTCP, verify.OutcomeRefused)
	port.Port = 22
	assert.Equal(t, []verify.Code{verify.CodePortFiltered, verify.CodeRefused}, codes(verify.Diagnose([]verify.Result{silent, port})))

	lan := silent
	lan.Address = netip.MustParseAddr("192.168.1.5")
	assert.Equal(t, []verify.Code{verify.CodeAddressSilent}, codes(verify.Diagnose([]verify.Result{lan})))

	sealed := result(t, verify.PlaceHost, vaultTLS, verify.OutcomeOK)
	sealed.Status = 503
	findings := verify.Diagnose([]verify.Result{sealed})
	assert.Equal(t, []verify.Code{verify.CodeHTTPStatus}, codes(findings))
	assert.Equal(t, verify.SeverityWarning, findings[0].Severity)

	bridged := result(t, verify.PlacePod, "tailnet://"+vaultName, verify.OutcomeNoSuchName)
	bridged.MagicDNS = &verify.DNS{Server: "100.100.100.100:53", Outcome: verify.OutcomeOK}
	findings = verify.Diagnose([]verify.Result{bridged})
	assert.Equal(t, []verify.Code{verify.CodeNamesNotBridged}, codes(findings))
	assert.Len(t, findings[0].Next, 3, "the three ways")
}

// Whatever two targets come to, each that failed is explained, by a finding that says what to do.
func TestDiagnoseExplainsEverything(t *testing.T) {
	t.Parallel()

	outcomes := []verify.Outcome{
		verify.OutcomeOK, verify.OutcomeRefused, verify.OutcomeTimeout, verify.OutcomeUnreachable, verify.OutcomeClosed, verify.OutcomeNoSuchName, verify.OutcomeNoAddress, verify.OutcomeServFail, verify.OutcomeDNSRefused,
		verify.OutcomeDNSTimeout, verify.OutcomeDNSUnreachable, verify.OutcomeDNSBroken, verify.OutcomeNotTailnet, verify.OutcomeStale, verify.OutcomeTLSName, verify.OutcomeTLSUntrusted, verify.OutcomeTLSExpired,
		verify.OutcomeTLSTimeout, verify.OutcomeTLSRefused, verify.OutcomeNotTLS, verify.OutcomeNoHTTP, verify.OutcomeCanceled, verify.OutcomeFailed, "new",
	}
	targets := []string{vaultTCP, vaultTLS, vaultDNS, magicDNS, vaultDNS + "@10.96.0.10", "tailnet://" + vaultName, "tcp://vault.lan:80"}
	places := []verify.Place{verify.PlaceHost, verify.PlacePod, verify.PlaceNode}

	for _, outcome := range outcomes {
		for _, second := range outcomes {
			for i, target := range targets {
				one := result(t, places[i%len(places)], target, outcome)
				two := result(t, verify.PlacePod, targets[(i+1)%len(targets)], second)
				findings := verify.Diagnose([]verify.Result{one, two})

				for _, r := range []verify.Result{one, two} {
					explained := slices.ContainsFunc(findings, func(f verify.Finding) bool {
						return f.Severity != verify.SeverityWarning && slices.Contains(f.Subjects, r.Target)
					})
					require.Equal(t, !r.OK(), explained, "%s: %s", r.Target, r.Outcome)
				}

				for _, finding := range findings {
					require.NotEmpty(t, finding.Code)
					require.NotEmpty(t, finding.Cause)
					require.NotEmpty(t, finding.Next)
					require.NotEmpty(t, finding.Severity)
				}
			}
		}
	}
}

// The diagnosis of what real servers do.
func TestDiagnoseServers(t *testing.T) {
	t.Parallel()

	ca := newAuthority(t)
	server := serveHTTPS(t, map[string]tls.Certificate{
		"": ca.issue(t, time.Now().Add(time.Hour), "*.default.test", "vault.test"),
	}, http.NotFoundHandler())
	names := serveDNS(t)
	checker := &verify.Checker{CAs: ca.pool, Timeout: short}
	bare := fmt.Sprintf("https://127.0.0.1:%d/", server.Port())

	for text, want := range map[string]verify.Finding{
		bare:                                {Code: verify.CodeSNINeeded, Next: []string{fmt.Sprintf("write https://vault.test:%d/@127.0.0.1; in curl that is --resolve", server.Port())}},
		httpsTo("wrong.test", server):       {Code: verify.CodeTLSName},
		"dns://fail.test@" + names.String(): {Code: verify.CodeServFail},
		"dns://nx.test@" + names.String():   {Code: verify.CodeNXDomain},
		"dns://none.test@" + names.String(): {Code: verify.CodeNoAddress},
		"tcp://" + closedPort(t).String():   {Code: verify.CodeRefused},
	} {
		findings := verify.Diagnose(check(t, checker, text))
		require.Len(t, findings, 1, text)

		assert.Equal(t, want.Code, findings[0].Code, text)

		if want.Next != nil {
			assert.Equal(t, want.Next, findings[0].Next)
		}
	}

	untrusted := verify.Diagnose(check(t, &verify.Checker{}, httpsTo("vault.test", server)))
	assert.Equal(t, []verify.Code{verify.CodeTLSUntrusted}, codes(untrusted))
	assert.Contains(t, untrusted[0].Cause, "CN=test authority")
}
