package verify_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

func silent() *log.Logger { return log.New(io.Discard, "", 0) }

const (
	// short is a time-out for what never answers.
	short = 250 * time.Millisecond

	// patient is long enough for anything that answers, also on a machine that has much else to do.
	patient = 40 * time.Second
)

// check tries targets. What answers has the time that it takes.
func check(t *testing.T, checker *verify.Checker, texts ...string) []verify.Result {
	t.Helper()

	if checker.Timeout == 0 {
		checker.Timeout = patient
	}

	targets, err := verify.ParseTargets(texts...)
	require.NoError(t, err)

	results := checker.Check(t.Context(), targets)
	require.Len(t, results, len(targets))

	for i, result := range results {
		require.Equal(t, targets[i].String(), result.Target)
		require.NotZero(t, result.Attempts)
		require.Equal(t, result.Outcome == verify.OutcomeOK, result.OK())

		if result.OK() {
			require.Empty(t, result.Detail)
			require.Positive(t, result.Latency)
		} else {
			require.NotEmpty(t, result.Detail, result.Target)
			require.NotContains(t, result.Detail, "\n")
		}
	}

	return results
}

func TestTCP(t *testing.T) {
	t.Parallel()

	open := serveTCP(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })

	results := check(t, &verify.Checker{},
		"tcp://"+open.String(), fmt.Sprintf("tcp://localhost:%d", open.Port()), "tcp://"+closedPort(t).String())

	assert.Equal(t, verify.OutcomeOK, results[0].Outcome)
	assert.Equal(t, open.Addr(), results[0].Address)
	assert.Equal(t, verify.OutcomeOK, results[1].Outcome)
	assert.Equal(t, verify.SystemResolver, results[1].DNS.Server)
	assert.Equal(t, verify.OutcomeRefused, results[2].Outcome)
	assert.Equal(t, verify.OutcomeNoSuchName, check(t, &verify.Checker{Resolver: fixedNames{}}, "tcp://nx.invalid:80")[0].Outcome)
}

// A port that is half open takes the connection and says nothing, or hangs up.
func TestHalfOpen(t *testing.T) {
	t.Parallel()

	mute := serveTCP(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	hangup := serveTCP(t, func(conn net.Conn) { _ = conn.Close() })
	reset := serveTCP(t, func(conn net.Conn) {
		if conn, ok := conn.(*net.TCPConn); ok {
			_ = conn.SetLinger(0)
		}

		_ = conn.Close()
	})

	results := check(t, &verify.Checker{},
		"https://vault.test/@"+mute.Addr().String(), httpsTo("vault.test", hangup), httpsTo("vault.test", reset))
	assert.Equal(t, verify.OutcomeRefused, results[0].Outcome, "nothing listens on 443")
	assert.Equal(t, verify.OutcomeClosed, results[1].Outcome)
	assert.Equal(t, verify.OutcomeClosed, results[2].Outcome)

	assert.Equal(t, verify.OutcomeTLSTimeout, check(t, &verify.Checker{Timeout: 10 * short}, httpsTo("vault.test", mute))[0].Outcome)
}

func httpsTo(name string, server netip.AddrPort) string {
	return fmt.Sprintf("https://%s:%d/v1/sys/health@%s", name, server.Port(), server.Addr())
}

func TestHTTPS(t *testing.T) {
	t.Parallel()

	ca, other := newAuthority(t), newAuthority(t)
	later := time.Now().Add(time.Hour)

	server := serveHTTPS(t, map[string]tls.Certificate{
		"":              ca.issue(t, later, "default.test"),
		"vault.test":    ca.issue(t, later, "vault.test", "vault.other.test"),
		"expired.test":  ca.issue(t, time.Now().Add(-time.Hour), "expired.test"),
		"stranger.test": other.issue(t, later, "stranger.test"),
	}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/sys/health":
			local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
			assert.True(t, ok)
			assert.Equal(t, fmt.Sprintf("%s:%d", r.TLS.ServerName, netip.MustParseAddrPort(local.String()).Port()), r.Host)
		case "/sealed":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/elsewhere":
			http.Redirect(w, r, "https://elsewhere.test/", http.StatusFound)
		}
	}))

	checker := &verify.Checker{CAs: ca.pool}
	results := check(t, checker,
		httpsTo("vault.test", server),
		fmt.Sprintf("https://vault.test:%d/sealed?x=1@127.0.0.1", server.Port()),
		fmt.Sprintf("https://vault.test:%d/elsewhere@127.0.0.1", server.Port()),
		fmt.Sprintf("https://127.0.0.1:%d/", server.Port()),
		httpsTo("wrong.test", server), httpsTo("expired.test", server), httpsTo("stranger.test", server),
	)

	assert.Equal(t, verify.OutcomeOK, results[0].Outcome)
	assert.Equal(t, http.StatusOK, results[0].Status)
	assert.Equal(t, server.Addr(), results[0].Address)
	assert.Nil(t, results[0].DNS, "the name is not resolved")
	assert.Equal(t, "TLS 1.3", results[0].TLS.Version)
	assert.Equal(t, "vault.test", results[0].TLS.ServerName)
	assert.True(t, results[0].TLS.Verified)
	require.Len(t, results[0].TLS.Chain, 2)
	assert.Equal(t, []string{"vault.test", "vault.other.test"}, results[0].TLS.Chain[0].Names)
	assert.Equal(t, "CN=test authority", results[0].TLS.Chain[0].Issuer)

	assert.Equal(t, http.StatusServiceUnavailable, results[1].Status)
	assert.Equal(t, http.StatusFound, results[2].Status, "redirects are not followed")

	assert.Equal(t, verify.OutcomeTLSName, results[3].Outcome)
	assert.Empty(t, results[3].TLS.ServerName, "there is no SNI for an address")
	assert.Equal(t, "the certificate is not for 127.0.0.1 but for default.test", results[3].Detail)
	assert.Equal(t, verify.OutcomeTLSName, results[4].Outcome)
	assert.Equal(t, verify.OutcomeTLSExpired, results[5].Outcome)
	assert.Equal(t, verify.OutcomeTLSUntrusted, results[6].Outcome)

	for _, result := range results[3:] {
		assert.False(t, result.TLS.Verified)
		assert.NotEmpty(t, result.TLS.Chain, "it is shown all the same")
		assert.Zero(t, result.Status, "no request is sent")
	}

	for _, result := range check(t, &verify.Checker{Insecure: true}, httpsTo("wrong.test", server), httpsTo("expired.test", server), httpsTo("stranger.test", server)) {
		assert.Equal(t, verify.OutcomeOK, result.Outcome)
		assert.False(t, result.TLS.Verified)
		assert.NotEmpty(t, result.TLS.Chain[0].Names)
	}
}

func TestNotHTTPS(t *testing.T) {
	t.Parallel()

	ca := newAuthority(t)
	certificate := ca.issue(t, time.Now().Add(time.Hour), "vault.test")

	plain := serveTCP(t, func(conn net.Conn) { _, _ = io.WriteString(conn, "220 mail.test ESMTP\r\n") })
	picky := serveHTTPS(t, map[string]tls.Certificate{"vault.test": certificate}, http.NotFoundHandler())
	overTLS := func(handle func(net.Conn)) netip.AddrPort {
		return serveTCP(t, func(conn net.Conn) {
			handle(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}}))
		})
	}
	mute := overTLS(func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	hangup := overTLS(func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1))
		_ = conn.Close()
	})
	notHTTP := overTLS(func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1))
		_, _ = io.WriteString(conn, "+OK POP3\r\n")
	})
	// a handshake whose answer comes, and late
	slow := serveTCP(t, func(conn net.Conn) {
		time.Sleep(12 * short)

		_ = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}}).Handshake()
	})

	results := check(t, &verify.Checker{CAs: ca.pool},
		httpsTo("vault.test", plain), httpsTo("wrong.test", picky), httpsTo("vault.test", hangup), httpsTo("vault.test", notHTTP))

	assert.Equal(t, verify.OutcomeNotTLS, results[0].Outcome)
	assert.Equal(t, verify.OutcomeTLSRefused, results[1].Outcome)
	assert.Equal(t, verify.OutcomeNoHTTP, results[2].Outcome)
	assert.Equal(t, verify.OutcomeNoHTTP, results[3].Outcome)

	results = check(t, &verify.Checker{CAs: ca.pool, Timeout: 10 * short}, httpsTo("vault.test", mute), httpsTo("vault.test", slow))
	assert.Equal(t, verify.OutcomeNoHTTP, results[0].Outcome)
	assert.Equal(t, "TLS works, and then: no answer", results[0].Detail)
	assert.Equal(t, verify.OutcomeTLSTimeout, results[1].Outcome)
}

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

// With a time to wait, a target is tried again until it is reached; without, or when the time is over, its last failure
// counts.
func TestWait(t *testing.T) {
	t.Parallel()

	var connections atomic.Int32

	ca := newAuthority(t)
	certificate := ca.issue(t, time.Now().Add(time.Hour), "vault.test")
	server := serveTCP(t, func(conn net.Conn) {
		if connections.Add(1) > 4 { // an attempt that is closed is made twice: with a long first message and with a short one
			secured := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}})
			_, _ = secured.Read(make([]byte, 1))
			_, _ = io.WriteString(secured, "HTTP/1.1 204 No Content\r\n\r\n")
		}

		_ = conn.Close()
	})

	var attempts []verify.Outcome

	checker := &verify.Checker{
		CAs: ca.pool, Wait: patient, Interval: 10 * time.Millisecond,
		OnAttempt: func(result verify.Result) { attempts = append(attempts, result.Outcome) },
	}
	result := check(t, checker, httpsTo("vault.test", server))[0]

	assert.Equal(t, verify.OutcomeOK, result.Outcome)
	assert.Equal(t, 3, result.Attempts)
	assert.Equal(t, []verify.Outcome{verify.OutcomeClosed, verify.OutcomeClosed, verify.OutcomeOK}, attempts)

	result = check(t, &verify.Checker{Wait: 8 * short, Interval: time.Millisecond}, "tcp://"+closedPort(t).String())[0]
	assert.Equal(t, verify.OutcomeRefused, result.Outcome)
	assert.Greater(t, result.Attempts, 1)
}

func TestCanceled(t *testing.T) {
	t.Parallel()

	mute := serveTCP(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	targets, err := verify.ParseTargets(httpsTo("vault.test", mute), httpsTo("vault.test", mute), httpsTo("vault.test", mute))
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()

	checker := &verify.Checker{Parallel: 2, Timeout: time.Hour, Wait: time.Hour}

	for _, result := range checker.Check(ctx, targets) {
		assert.Equal(t, verify.OutcomeCanceled, result.Outcome)
	}
}

// No more targets are tried at a time than the limit, and as many as it allows.
func TestParallel(t *testing.T) {
	t.Parallel()

	const limit = 4

	var now, most atomic.Int32

	open := serveTCP(t, func(conn net.Conn) { _ = conn.Close() })
	resolver := slowNames{enter: func() func() {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}

		return func() { now.Add(-1) }
	}}

	var texts []string
	for i := range 5 * limit {
		texts = append(texts, fmt.Sprintf("tcp://host%d.test:%d", i, open.Port()))
	}

	check(t, &verify.Checker{Parallel: limit, Resolver: resolver}, texts...)
	assert.LessOrEqual(t, most.Load(), int32(limit))
	assert.Greater(t, most.Load(), int32(1))
}

type slowNames struct{ enter func() func() }

func (s slowNames) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	defer s.enter()()

	time.Sleep(20 * time.Millisecond)

	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

// A result is the same after JSON, so that those of another place can be read.
func TestResultJSON(t *testing.T) {
	t.Parallel()

	ca := newAuthority(t)
	server := serveHTTPS(t, map[string]tls.Certificate{"": ca.issue(t, time.Now().Add(time.Hour), "vault.test")}, http.NotFoundHandler())
	names := serveDNS(t)
	results := check(t, &verify.Checker{CAs: ca.pool, From: verify.PlacePod, MagicDNS: names.AddrPort, Resolver: fixedNames{}},
		httpsTo("vault.test", server), "tailnet://ok.test", "dns://nx.test@"+names.String())

	text, err := json.Marshal(results)
	require.NoError(t, err)

	var read []verify.Result

	require.NoError(t, json.Unmarshal(text, &read))

	for i := range results {
		assert.InDelta(t, float64(results[i].Latency), float64(read[i].Latency), float64(10*time.Millisecond))
		read[i].Latency = results[i].Latency
	}

	again, err := json.Marshal(read)
	require.NoError(t, err)
	assert.JSONEq(t, string(text), string(again))
	assert.Equal(t, verify.Diagnose(results), verify.Diagnose(read))
}

func TestDetectPlace(t *testing.T) {
	t.Parallel()

	assert.Equal(t, verify.PlacePod, verify.DetectPlace(func(string) (string, bool) { return "10.96.0.1", true }))
	assert.Equal(t, verify.PlaceHost, verify.DetectPlace(func(string) (string, bool) { return "", false }))

	_, err := verify.ParsePlace("moon")
	require.EqualError(t, err, "the place is unknown: write host, pod or node")
}

// Neither an environment's proxy nor a redirect takes a request elsewhere.
func TestNoProxy(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")

	ca := newAuthority(t)
	server := serveHTTPS(t, map[string]tls.Certificate{"": ca.issue(t, time.Now().Add(time.Hour), "vault.test")}, http.NotFoundHandler())

	assert.Equal(t, verify.OutcomeOK, check(t, &verify.Checker{CAs: ca.pool}, httpsTo("vault.test", server))[0].Outcome)
}
