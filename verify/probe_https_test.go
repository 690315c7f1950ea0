package verify_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

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

// Neither an environment's proxy nor a redirect takes a request elsewhere.
func TestNoProxy(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")

	ca := newAuthority(t)
	server := serveHTTPS(t, map[string]tls.Certificate{"": ca.issue(t, time.Now().Add(time.Hour), "vault.test")}, http.NotFoundHandler())

	assert.Equal(t, verify.OutcomeOK, check(t, &verify.Checker{CAs: ca.pool}, httpsTo("vault.test", server))[0].Outcome)
}
