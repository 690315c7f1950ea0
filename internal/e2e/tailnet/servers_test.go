package tailnet

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

const day = 24 * time.Hour

// certified is a certificate with its key.
type certified struct {
	*x509.Certificate

	key *ecdsa.PrivateKey
}

// certify makes a certificate, of an authority or of itself. Without names it is an authority.
func certify(t testing.TB, by *certified, subject string, from, to time.Duration, names ...string) *certified {
	t.Helper()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}

	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: subject}, DNSNames: names,
		NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to), BasicConstraintsValid: true, IsCA: len(names) == 0,
	}
	if template.IsCA {
		template.KeyUsage = x509.KeyUsageCertSign
	} else {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}

	if by == nil {
		by = &certified{template, key}
	}

	der, err := x509.CreateCertificate(rand.Reader, template, by.Certificate, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}

	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}

	return &certified{certificate, key}
}

// server is one of those behind the bridge, and the one finding that is right for it; "" where nothing is wrong.
type server struct {
	name, port, want string
}

// startServers starts all kinds of servers on all addresses of a place, and returns them with the file of their authority.
func startServers(t testing.TB, place *lab.Namespace, host string) ([]server, string) {
	t.Helper()

	root := certify(t, nil, "Lab Root", -day, 3650*day)
	between := certify(t, root, "Lab Intermediate", -day, 1000*day)
	ended := certify(t, root, "Ended Intermediate", -800*day, -day)
	own := certify(t, between, "vault", -day, 90*day, host)

	send := func(first *certified, others ...*certified) tls.Certificate {
		sent := tls.Certificate{Certificate: [][]byte{first.Raw}, PrivateKey: first.key}
		for _, other := range others {
			sent.Certificate = append(sent.Certificate, other.Raw)
		}

		return sent
	}
	over := func(certificate tls.Certificate, change func(*tls.Config)) func(net.Listener) {
		config := &tls.Config{Certificates: []tls.Certificate{certificate}}
		if change != nil {
			change(config)
		}

		return func(listener net.Listener) {
			server := &http.Server{Handler: http.NotFoundHandler(), TLSConfig: config}
			_ = server.ServeTLS(listener, "", "")
		}
	}
	each := func(handle func(net.Conn)) func(net.Listener) {
		return func(listener net.Listener) {
			for {
				connection, err := listener.Accept()
				if err != nil {
					return
				}

				go func() {
					handle(connection)
					connection.Close()
				}()
			}
		}
	}

	good := send(own, between)
	kinds := []struct {
		name, want string
		serve      func(net.Listener)
	}{
		{"refused", "port-refused", nil},
		{"dropped", "port-filtered", nil},
		{"reset", "connection-closed", each(func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1))
			_ = c.(*net.TCPConn).SetLinger(0)
		})},
		{"slow", "tls-stalled", each(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })},
		{"no TLS", "not-tls", each(func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") })},
		{"TLS 1.2", "", over(good, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 })},
		{"TLS 1.3", "", over(good, func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 })},
		{"mutual TLS 1.2", "client-certificate", over(good, func(c *tls.Config) { c.MaxVersion, c.ClientAuth = tls.VersionTLS12, tls.RequireAnyClientCert })},
		{"mutual TLS 1.3", "client-certificate", over(good, func(c *tls.Config) { c.MinVersion, c.ClientAuth = tls.VersionTLS13, tls.RequireAnyClientCert })},
		{"HTTP/1.1", "", over(good, func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} })},
		{"leaf expired", "tls-expired", over(send(certify(t, between, "vault", -90*day, -day, host), between), nil)},
		{"intermediate expired", "tls-expired", over(send(certify(t, ended, "vault", -day, 90*day, host), ended), nil)},
		{"intermediate missing", "tls-chain", over(send(own), nil)},
		{"self-signed", "tls-untrusted", over(send(certify(t, nil, "vault", -day, 90*day, host)), nil)},
		{"wrong name", "tls-name", over(send(certify(t, between, "db", -day, 90*day, "db.tailnet.example"), between), nil)},
	}

	servers := make([]server, 0, len(kinds))

	for i, kind := range kinds {
		port := strconv.Itoa(9001 + i)
		servers = append(servers, server{kind.name, port, kind.want})

		if kind.name == "dropped" {
			for _, tables := range []string{"iptables", "ip6tables"} {
				place.Run(t, tables, "-I", "INPUT", "1", "-p", "tcp", "--dport", port, "-j", "DROP")
			}
		}

		if kind.serve == nil {
			continue
		}

		var listener net.Listener

		if err := place.Inside(func() (err error) {
			listener, err = net.Listen("tcp", "[::]:"+port)

			return err
		}); err != nil {
			t.Fatal(err)
		}

		t.Cleanup(func() { listener.Close() })

		go kind.serve(listener)
	}

	file := filepath.Join(t.TempDir(), "ca.crt")
	lab.WriteFile(t, file, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw})))

	return servers, file
}
