package verify_test

import (
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

// What answers without TLS is told by its first bytes.
func TestNotTLSTellsTheProtocol(t *testing.T) {
	t.Parallel()

	for _, test := range []struct{ says, instead string }{
		{"HTTP/1.0 400 Bad Request\r\n\r\n", "HTTP"},
		{"\x00\x00\x12\x04\x00\x00\x00\x00\x00", "HTTP/2"},
		{"SSH-2.0-OpenSSH_9.2\r\n", "SSH"},
		{"220 mail.example.com ESMTP\r\n", "SMTP or FTP"},
		{"+OK ready\r\n", "POP3"},
		{"* OK IMAP4rev1\r\n", "IMAP"},
		{"-ERR unknown command\r\n", "the protocol of Redis"},
		{"RFB 003.008\n", "VNC"},
		{"E\x00\x00\x00\x84SFATAL\x00", "the protocol of PostgreSQL"},
		{"\x4a\x00\x00\x00\x0a8.0.36\x00", "the protocol of MySQL"},
		{"something else", ""},
	} {
		at := serveTCP(t, func(conn net.Conn) {
			_, _ = conn.Write([]byte(test.says))
			_, _ = conn.Read(make([]byte, 4096))
		})

		result := check(t, &verify.Checker{}, httpsTo("vault.test", at))[0]
		require.Equal(t, verify.OutcomeNotTLS, result.Outcome, test.says)
		assert.Equal(t, test.instead, result.TLS.Instead)

		findings := verify.Diagnose([]verify.Result{result})
		assert.Equal(t, []verify.Code{verify.CodeNotTLS}, codes(findings))
		assert.Contains(t, findings[0].Cause, test.instead)
	}
}

// A way that loses the long first message of today's clients, or a server that cannot take it, is told from a server that
// does not answer at all.
func TestLongHello(t *testing.T) {
	t.Parallel()

	const onePacket = 1280

	p := newPKI(t, "vault.test")
	config := &tls.Config{Certificates: []tls.Certificate{chain(p.leaf, p.intermediate)}}

	// what to do with a first message of more than a packet
	serve := func(long func(net.Conn)) netip.AddrPort {
		return serveTCP(t, func(conn net.Conn) {
			first := make([]byte, 4096)

			n, err := conn.Read(first)
			if err != nil {
				return
			}

			if n > onePacket {
				long(conn)

				return
			}

			_ = tls.Server(&replayed{Conn: conn, first: first[:n]}, config).Handshake()
		})
	}

	hold := func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) }

	for _, test := range []struct {
		name string
		at   netip.AddrPort
		code verify.Code
		lost bool
	}{
		{"lost", serve(hold), verify.CodeTLSStalled, true},
		{"closed", serve(func(conn net.Conn) { _ = conn.Close() }), verify.CodeClosed, true},
		{"never an answer", serveTCP(t, hold), verify.CodeTLSStalled, false},
		{"always closed", serveTCP(t, func(conn net.Conn) { _ = conn.Close() }), verify.CodeClosed, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			result := check(t, &verify.Checker{CAs: p.trusted, Timeout: 2 * short}, httpsTo("vault.test", test.at))[0]
			assert.Equal(t, []verify.Code{test.code}, codes(verify.Diagnose([]verify.Result{result})), result.Detail)
			assert.Equal(t, test.lost, result.TLS.LongHelloLost)
		})
	}
}

// replayed is a connection of which the first bytes were read already.
type replayed struct {
	net.Conn

	first []byte
}

func (r *replayed) Read(into []byte) (int, error) {
	if len(r.first) == 0 {
		return r.Conn.Read(into)
	}

	n := copy(into, r.first)
	r.first = r.first[n:]

	return n, nil
}

// A certificate that cannot be read is the server's fault, and no matter of its name.
func TestMalformedCertificate(t *testing.T) {
	t.Parallel()

	p := newPKI(t, "vault.test")

	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		sent := chain(p.leaf, p.intermediate)

		// the serial number stands behind the version, [0] { INTEGER 2 }; with its highest bit it is negative
		negative := slices.Clone(sent.Certificate[0])
		for i := range negative {
			if slices.Equal(negative[i:i+5], []byte{0xa0, 3, 2, 1, 2}) {
				negative[i+7] |= 0x80

				break
			}
		}

		sent.Certificate[0] = negative

		at := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{sent}, MaxVersion: version}, answer)
		result := check(t, &verify.Checker{CAs: p.trusted}, httpsTo("vault.test", netip.MustParseAddrPort(at)))[0]
		assert.Equal(t, verify.OutcomeTLSInvalid, result.Outcome, result.Detail)
		assert.Equal(t, verify.ProblemMalformed, result.TLS.Problem)
		assert.Equal(t, []verify.Code{verify.CodeTLSMalformed}, codes(verify.Diagnose([]verify.Result{result})))
	}
}

// A server with ciphers that Go programs refuse, and other clients take, is reached with a warning.
func TestOldCiphers(t *testing.T) {
	t.Parallel()

	p := newPKI(t, "vault.test")

	for cipher, warned := range map[uint16]bool{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256: true, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: false} {
		at := serveTLS(t, &tls.Config{
			Certificates: []tls.Certificate{chain(p.leaf, p.intermediate)}, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{cipher},
		}, answer)
		result := check(t, &verify.Checker{CAs: p.trusted}, httpsTo("vault.test", netip.MustParseAddrPort(at)))[0]
		assert.Equal(t, verify.OutcomeOK, result.Outcome, result.Detail)

		findings := verify.Diagnose([]verify.Result{result})
		if !warned {
			assert.Empty(t, findings)

			continue
		}

		require.Equal(t, []verify.Code{verify.CodeTLSVersion}, codes(findings))
		assert.Equal(t, verify.SeverityWarning, findings[0].Severity)
		assert.Equal(t, tls.CipherSuiteName(cipher), result.TLS.Cipher)
	}
}
