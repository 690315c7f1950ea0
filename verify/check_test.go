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

	results := checker.Check(ctx, targets)
	require.Len(t, results, len(targets))

	for _, result := range results {
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

// A try that takes longer than the pause between two still leaves time for another.
func TestWaitUsesItsTime(t *testing.T) {
	t.Parallel()

	checker := &verify.Checker{Dial: standIns{}.dial, Timeout: short, Wait: 4 * short, Interval: time.Hour}
	result := check(t, checker, "tcp://100.82.13.87:8200")[0]
	assert.Equal(t, 2, result.Attempts)
}
