package verify_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

// The certificate that is named is the one at fault, wherever in the chain it stands.
func TestCertificates(t *testing.T) {
	t.Parallel()

	const name = "vault.tail1234.ts.net"

	p := newPKI(t, name)
	leaf := func(parent *issued, from, to time.Duration, change func(*x509.Certificate)) *issued {
		return issue(t, parent, "vault", from, to, change)
	}
	expired := issue(t, p.root, "Old Intermediate", -800*day, -day, anAuthority)
	early := issue(t, p.root, "Early Intermediate", day, 800*day, anAuthority)
	closing := issue(t, p.root, "Closing Intermediate", -800*day, 20*day, anAuthority)
	notCA := issue(t, p.root, "No Authority", -day, 800*day, func(c *x509.Certificate) { c.IsCA = false; c.KeyUsage = x509.KeyUsageDigitalSignature })
	clientsOnly := issue(t, p.root, "Clients Only", -day, 800*day, func(c *x509.Certificate) {
		anAuthority(c)
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	})
	others := issue(t, p.root, "Other Names", -day, 800*day, func(c *x509.Certificate) {
		anAuthority(c)
		c.PermittedDNSDomains = []string{"example.com"}
		c.PermittedDNSDomainsCritical = true
	})
	short := issue(t, p.root, "Short Path", -day, 800*day, func(c *x509.Certificate) { anAuthority(c); c.MaxPathLen, c.MaxPathLenZero = 0, true })
	below := issue(t, short, "Below Short Path", -day, 800*day, anAuthority)
	stranger := issue(t, nil, "Stranger Root", -day, 3650*day, anAuthority)
	strangers := issue(t, stranger, "Stranger Intermediate", -day, 900*day, anAuthority)
	again := issue(t, nil, "Lab Root", -day, 3650*day, anAuthority)
	ended := issue(t, nil, "Ended Root", -800*day, -day, anAuthority)
	self := leaf(nil, -day, 90*day, forServer(name))
	server := forServer(name)
	p.trusted.AddCert(ended.Certificate)

	for _, test := range []struct {
		name    string
		sent    []*issued
		outcome verify.Outcome
		problem verify.Problem
		code    verify.Code
		faulty  string // the subject of the certificate at fault
	}{
		{"good", []*issued{p.leaf, p.intermediate}, verify.OutcomeOK, "", "", ""},
		{"good, with the root", []*issued{p.leaf, p.intermediate, p.root}, verify.OutcomeOK, "", "", ""},
		{"leaf expired", []*issued{leaf(p.intermediate, -90*day, -day, server), p.intermediate}, verify.OutcomeTLSExpired, verify.ProblemExpired, verify.CodeTLSExpired, "CN=vault"},
		{"leaf too early", []*issued{leaf(p.intermediate, day, 90*day, server), p.intermediate}, verify.OutcomeTLSExpired, verify.ProblemNotYetValid, verify.CodeTLSExpired, "CN=vault"},
		{"intermediate expired", []*issued{leaf(expired, -day, 90*day, server), expired}, verify.OutcomeTLSExpired, verify.ProblemExpired, verify.CodeTLSExpired, "CN=Old Intermediate"},
		{"intermediate expired, behind another certificate", []*issued{leaf(expired, -day, 90*day, server), p.root, expired}, verify.OutcomeTLSExpired, verify.ProblemExpired, verify.CodeTLSExpired, "CN=Old Intermediate"},
		{"intermediate too early", []*issued{leaf(early, -day, 90*day, server), early}, verify.OutcomeTLSExpired, verify.ProblemNotYetValid, verify.CodeTLSExpired, "CN=Early Intermediate"},
		{"intermediate missing", []*issued{p.leaf}, verify.OutcomeTLSUntrusted, verify.ProblemIncomplete, verify.CodeTLSChain, "CN=vault"},
		{"the wrong intermediate", []*issued{p.leaf, strangers}, verify.OutcomeTLSUntrusted, verify.ProblemIncomplete, verify.CodeTLSChain, "CN=vault"},
		{"order, and it works here", []*issued{p.leaf, p.root, p.intermediate}, verify.OutcomeOK, verify.ProblemOrder, verify.CodeTLSChain, "CN=Lab Root"},
		{"self-signed", []*issued{self}, verify.OutcomeTLSUntrusted, verify.ProblemSelfSigned, verify.CodeTLSUntrusted, "CN=vault"},
		{"unknown authority", []*issued{leaf(strangers, -day, 90*day, server), strangers, stranger}, verify.OutcomeTLSUntrusted, verify.ProblemUnknownAuthority, verify.CodeTLSUntrusted, "CN=Stranger Root"},
		{"unknown authority, not sent", []*issued{leaf(strangers, -day, 90*day, server), strangers}, verify.OutcomeTLSUntrusted, verify.ProblemUnknownAuthority, verify.CodeTLSUntrusted, "CN=Stranger Intermediate"},
		{"another name", []*issued{leaf(p.intermediate, -day, 90*day, forServer("db.tail1234.ts.net")), p.intermediate}, verify.OutcomeTLSName, verify.ProblemName, verify.CodeTLSName, "CN=vault"},
		{"another name, and self-signed", []*issued{leaf(nil, -day, 90*day, forServer("TRAEFIK DEFAULT CERT"))}, verify.OutcomeTLSName, verify.ProblemName, verify.CodeTLSName, "CN=vault"},
		{"the authority was made anew", []*issued{leaf(again, -day, 90*day, server)}, verify.OutcomeTLSUntrusted, verify.ProblemAuthorityKey, verify.CodeTLSUntrusted, "CN=vault"},
		{"the authority was made anew, and is sent", []*issued{leaf(again, -day, 90*day, server), again}, verify.OutcomeTLSUntrusted, verify.ProblemAuthorityKey, verify.CodeTLSUntrusted, "CN=Lab Root"},
		{"the trusted root expired", []*issued{leaf(ended, -day, 90*day, server)}, verify.OutcomeTLSExpired, verify.ProblemExpired, verify.CodeTLSExpired, "CN=Ended Root"},
		{"the trusted root expired, and is sent", []*issued{leaf(ended, -day, 90*day, server), ended}, verify.OutcomeTLSExpired, verify.ProblemExpired, verify.CodeTLSExpired, "CN=Ended Root"},
		{"a common name and no names", []*issued{issue(t, p.intermediate, name, -day, 90*day, nil), p.intermediate}, verify.OutcomeTLSName, verify.ProblemName, verify.CodeTLSName, "CN=" + name},
		{"an extension that is critical and unknown", []*issued{leaf(p.intermediate, -day, 90*day, func(c *x509.Certificate) {
			server(c)
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
		}), p.intermediate}, verify.OutcomeTLSInvalid, verify.ProblemConstraints, verify.CodeTLSConstraints, "CN=vault"},
		{"for clients", []*issued{leaf(p.intermediate, -day, 90*day, func(c *x509.Certificate) {
			c.DNSNames = []string{name}
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}), p.intermediate}, verify.OutcomeTLSInvalid, verify.ProblemUsage, verify.CodeTLSUsage, "CN=vault"},
		{"an authority for clients", []*issued{leaf(clientsOnly, -day, 90*day, server), clientsOnly}, verify.OutcomeTLSInvalid, verify.ProblemUsage, verify.CodeTLSUsage, "CN=Clients Only"},
		{"issued by what is no authority", []*issued{leaf(notCA, -day, 90*day, server), notCA}, verify.OutcomeTLSInvalid, verify.ProblemNotAuthority, verify.CodeTLSConstraints, "CN=No Authority"},
		{"names constrained", []*issued{leaf(others, -day, 90*day, server), others}, verify.OutcomeTLSInvalid, verify.ProblemConstraints, verify.CodeTLSConstraints, "CN=Other Names"},
		{"path too long", []*issued{leaf(below, -day, 90*day, server), below, short}, verify.OutcomeTLSInvalid, verify.ProblemConstraints, verify.CodeTLSConstraints, "CN=Short Path"},
		{"ends in a week of ninety days", []*issued{leaf(p.intermediate, -83*day, 7*day, server), p.intermediate}, verify.OutcomeOK, verify.ProblemExpiresSoon, verify.CodeTLSExpires, "CN=vault"},
		{"ends in half a year of a year", []*issued{leaf(p.intermediate, -180*day, 180*day, server), p.intermediate}, verify.OutcomeOK, "", "", ""},
		{"six days, fresh", []*issued{leaf(p.intermediate, -time.Hour, 6*day, server), p.intermediate}, verify.OutcomeOK, "", "", ""},
		{"six days, two left", []*issued{leaf(p.intermediate, -4*day, 2*day, server), p.intermediate}, verify.OutcomeOK, verify.ProblemExpiresSoon, verify.CodeTLSExpires, "CN=vault"},
		{"the intermediate ends before what it issued", []*issued{leaf(closing, -day, 90*day, server), closing}, verify.OutcomeOK, verify.ProblemExpiresSoon, verify.CodeTLSExpires, "CN=Closing Intermediate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				server := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{chain(test.sent...)}, MaxVersion: version}, answer)
				result := check(t, &verify.Checker{CAs: p.trusted}, httpsTo(name, netip.MustParseAddrPort(server)))[0]
				require.Equal(t, test.outcome, result.Outcome, result.Detail)
				assert.Equal(t, test.problem, result.TLS.Problem)
				assert.Equal(t, test.outcome == verify.OutcomeOK, result.TLS.Verified)
				assert.Len(t, result.TLS.Chain, len(test.sent))

				if test.faulty != "" {
					require.NotNil(t, result.TLS.Faulty)
					assert.Equal(t, test.faulty, result.TLS.Faulty.Subject)
				}

				findings := verify.Diagnose([]verify.Result{result})
				if test.code == "" {
					assert.Empty(t, findings)

					continue
				}

				require.Equal(t, []verify.Code{test.code}, codes(findings))
				assert.Equal(t, test.outcome == verify.OutcomeOK, findings[0].Severity == verify.SeverityWarning)
			}
		})
	}
}

// A chain that begins with another certificate than the server's own is told as that, although the handshake fails.
func TestWrongCertificateFirst(t *testing.T) {
	t.Parallel()

	p := newPKI(t, "vault.test")
	sent := chain(p.leaf, p.intermediate)
	sent.Certificate[0], sent.Certificate[1] = sent.Certificate[1], sent.Certificate[0]

	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{sent}, MaxVersion: version}, answer)
		result := check(t, &verify.Checker{CAs: p.trusted}, httpsTo("vault.test", netip.MustParseAddrPort(server)))[0]
		assert.Equal(t, []verify.Code{verify.CodeTLSChain}, codes(verify.Diagnose([]verify.Result{result})), result.Detail)
		assert.Equal(t, verify.ProblemOrder, result.TLS.Problem)
	}
}

// A server that wants a client's certificate is reached, whatever it says, and in which version.
func TestClientCertificate(t *testing.T) {
	t.Parallel()

	p := newPKI(t, "vault.test")

	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, wants := range []tls.ClientAuthType{tls.RequestClientCert, tls.RequireAnyClientCert, tls.RequireAndVerifyClientCert} {
			server := serveTLS(t, &tls.Config{
				Certificates: []tls.Certificate{chain(p.leaf, p.intermediate)}, MaxVersion: version, ClientAuth: wants, ClientCAs: p.trusted,
			}, answer)
			result := check(t, &verify.Checker{CAs: p.trusted}, httpsTo("vault.test", netip.MustParseAddrPort(server)))[0]
			assert.Equal(t, verify.OutcomeOK, result.Outcome, result.Detail)
			assert.True(t, result.TLS.ClientCertificate)
			assert.Equal(t, wants != tls.RequestClientCert, result.TLS.ClientCertificateNeeded)

			if wants == tls.RequestClientCert {
				assert.Equal(t, 200, result.Status)
				assert.Empty(t, verify.Diagnose([]verify.Result{result}))

				continue
			}

			findings := verify.Diagnose([]verify.Result{result})
			assert.Equal(t, []verify.Code{verify.CodeClientCertificate}, codes(findings))
			assert.Equal(t, verify.SeverityWarning, findings[0].Severity)
		}
	}

	// some finish the handshake and refuse the request
	picky := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{chain(p.leaf, p.intermediate)}, ClientAuth: tls.RequestClientCert}, func(conn *tls.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"))
	})
	refused := check(t, &verify.Checker{CAs: p.trusted}, httpsTo("vault.test", netip.MustParseAddrPort(picky)))
	assert.Equal(t, []verify.Code{verify.CodeClientCertificate}, codes(verify.Diagnose(refused)))

	// its own certificate is looked at first
	server := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{chain(p.leaf)}, ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}, answer)
	result := check(t, &verify.Checker{CAs: p.trusted}, httpsTo("vault.test", netip.MustParseAddrPort(server)))[0]
	assert.Equal(t, []verify.Code{verify.CodeTLSChain}, codes(verify.Diagnose([]verify.Result{result})))
}

// What the server says with an alert is what the finding says.
func TestAlerts(t *testing.T) {
	t.Parallel()

	// a server that reads the hello and answers with an alert
	sends := func(alert byte) netip.AddrPort { return serveTCP(t, sendAlert(alert)) }

	for _, test := range []struct {
		alert byte
		host  string
		name  verify.Alert
		code  verify.Code
	}{
		{80, "vault.tail1234.ts.net", verify.AlertInternalError, verify.CodeTLSNoCertificate},
		{80, "vault.example.com", verify.AlertInternalError, verify.CodeTLSServerError},
		{112, "vault.tail1234.ts.net", verify.AlertUnrecognizedName, verify.CodeSNIUnknown},
		{70, "vault.example.com", verify.AlertProtocolVersion, verify.CodeTLSVersion},
		{71, "vault.example.com", verify.AlertInsufficientSecurity, verify.CodeTLSVersion},
		{120, "vault.example.com", verify.AlertNoApplicationProtocol, verify.CodeNoHTTP},
		{40, "vault.example.com", verify.AlertHandshakeFailure, verify.CodeTLSRefused},
		{50, "vault.example.com", "decode_error", verify.CodeTLSRefused},
		{200, "vault.example.com", "alert_200", verify.CodeTLSRefused},
	} {
		result := check(t, &verify.Checker{}, httpsTo(test.host, sends(test.alert)))[0]
		assert.Equal(t, verify.OutcomeTLSRefused, result.Outcome)
		assert.Equal(t, test.name, result.TLS.Alert)
		assert.Equal(t, []verify.Code{test.code}, codes(verify.Diagnose([]verify.Result{result})), test.name)
	}

	// asked by its address, it cannot know the name
	result := check(t, &verify.Checker{}, "https://"+sends(80).String()+"/")[0]
	assert.Equal(t, []verify.Code{verify.CodeSNINeeded}, codes(verify.Diagnose([]verify.Result{result})))
}

// What speaks HTTP/2 alone is spoken to in HTTP/2; old versions of TLS are told as that.
func TestProtocols(t *testing.T) {
	t.Parallel()

	p := newPKI(t, "vault.test")

	only2 := serveHTTP2(t, chain(p.leaf, p.intermediate))
	result := check(t, &verify.Checker{CAs: p.trusted}, httpsTo("vault.test", only2))[0]
	assert.Equal(t, verify.OutcomeOK, result.Outcome, result.Detail)
	assert.Equal(t, "h2", result.TLS.Protocol)
	assert.Equal(t, 418, result.Status)

	old := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{chain(p.leaf, p.intermediate)}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, answer)
	result = check(t, &verify.Checker{CAs: p.trusted}, httpsTo("vault.test", netip.MustParseAddrPort(old)))[0]
	assert.Equal(t, verify.OutcomeTLSVersion, result.Outcome)
	assert.Equal(t, []verify.Code{verify.CodeTLSVersion}, codes(verify.Diagnose([]verify.Result{result})))
}

// An authority that is called as the server is another certificate all the same.
func TestFaultyOfTheSameName(t *testing.T) {
	t.Parallel()

	own := verify.Certificate{Subject: "CN=vault", Issuer: "CN=vault", NotAfter: time.Date(2027, time.January, 1, 0, 0, 0, 0, time.UTC)}
	authority := own
	authority.NotAfter = time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC)

	expired := result(t, verify.PlaceHost, vaultTLS, verify.OutcomeTLSExpired)
	expired.TLS = &verify.TLS{Chain: []verify.Certificate{own, authority}, Problem: verify.ProblemExpired, Faulty: &authority}

	assert.Contains(t, verify.Diagnose([]verify.Result{expired})[0].Cause, "the server's own is good")

	expired.TLS.Faulty, expired.TLS.Chain[0].NotAfter = &expired.TLS.Chain[0], authority.NotAfter

	assert.NotContains(t, verify.Diagnose([]verify.Result{expired})[0].Cause, "the server's own is good")
}
