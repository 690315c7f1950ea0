package verify_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const day = 24 * time.Hour

// issued is a certificate with its key.
type issued struct {
	*x509.Certificate

	key *ecdsa.PrivateKey
}

var serial atomic.Int64

// issue makes a certificate, of parent, or of itself where that is nil.
func issue(t *testing.T, parent *issued, name string, from, to time.Duration, change func(*x509.Certificate)) *issued {
	t.Helper()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)

	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial.Add(1)), Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to),
	}
	if change != nil {
		change(template)
	}

	if parent == nil {
		parent = &issued{template, key}
	}

	der, err := x509.CreateCertificate(rand.Reader, template, parent.Certificate, &key.PublicKey, parent.key)
	require.NoError(t, err)

	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)

	return &issued{certificate, key}
}

func anAuthority(template *x509.Certificate) {
	template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign
}

// forServer makes the certificate one for names.
func forServer(names ...string) func(*x509.Certificate) {
	return func(template *x509.Certificate) {
		template.DNSNames = names
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
}

// pki is an authority that is trusted, one below it, and a server's certificate that is good.
type pki struct {
	root, intermediate, leaf *issued
	trusted                  *x509.CertPool
}

func newPKI(t *testing.T, names ...string) *pki {
	t.Helper()

	p := &pki{root: issue(t, nil, "Lab Root", -day, 3650*day, anAuthority), trusted: x509.NewCertPool()}
	p.intermediate = issue(t, p.root, "Lab Intermediate", -day, 1000*day, anAuthority)
	p.leaf = issue(t, p.intermediate, "vault", -day, 90*day, forServer(names...))
	p.trusted.AddCert(p.root.Certificate)

	return p
}

// chain is what a server sends, with the key of its first certificate.
func chain(certificates ...*issued) tls.Certificate {
	sent := tls.Certificate{PrivateKey: certificates[0].key}
	for _, certificate := range certificates {
		sent.Certificate = append(sent.Certificate, certificate.Raw)
	}

	return sent
}

// serveTLS starts a server that does the same with every connection after its handshake.
func serveTLS(t *testing.T, config *tls.Config, handle func(*tls.Conn)) string {
	t.Helper()

	return serveTCP(t, func(conn net.Conn) {
		secured := tls.Server(conn, config)
		if secured.Handshake() == nil {
			handle(secured)
		}

		_ = secured.Close()
	}).String()
}

// answer is a server that says 200 to each request, in HTTP/1.1.
func answer(conn *tls.Conn) {
	_, _ = conn.Read(make([]byte, 4096))
	_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
}
