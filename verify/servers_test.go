package verify_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// authority is a certificate authority of the tests.
type authority struct {
	pool *x509.CertPool
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)

	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}

	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)

	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)

	pool := x509.NewCertPool()
	pool.AddCert(cert)

	return &authority{pool: pool, cert: cert, key: key}
}

func (a *authority) issue(t *testing.T, notAfter time.Time, names ...string) tls.Certificate {
	t.Helper()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)

	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: notAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}

	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	require.NoError(t, err)

	return tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}
}

// serveHTTPS starts a server that chooses its certificate by SNI: the one for "" serves whoever names none it has.
func serveHTTPS(t *testing.T, certificates map[string]tls.Certificate, handler http.Handler) netip.AddrPort {
	t.Helper()

	config := &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if certificate, ok := certificates[hello.ServerName]; ok {
			return &certificate, nil
		}

		if certificate, ok := certificates[""]; ok {
			return &certificate, nil
		}

		return nil, nil //nolint:nilnil // the form of the callback: crypto/tls then sends unrecognized_name
	}}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)

	server := &http.Server{Handler: handler, ErrorLog: silent(), ReadHeaderTimeout: time.Minute}

	go func() { _ = server.Serve(tls.NewListener(listener, config)) }()

	t.Cleanup(func() { _ = server.Close() })

	return netip.MustParseAddrPort(listener.Addr().String())
}

// serveTCP starts a server that does the same with every connection. It closes those that are still open at the end.
func serveTCP(t *testing.T, handle func(net.Conn)) netip.AddrPort {
	t.Helper()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)

	var (
		running sync.WaitGroup
		guard   sync.Mutex
		open    []net.Conn
	)

	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}

			guard.Lock()
			open = append(open, conn)
			guard.Unlock()

			running.Go(func() { handle(conn) })
		}
	})

	t.Cleanup(func() {
		_ = listener.Close()

		guard.Lock()
		for _, conn := range open {
			_ = conn.Close()
		}
		guard.Unlock()

		running.Wait()
	})

	return netip.MustParseAddrPort(listener.Addr().String())
}

// closedPort returns an address on which nothing listens, over TCP and UDP, as long as the test runs: its port belongs to
// connections of other peers, so that nobody else is given it meanwhile.
func closedPort(t *testing.T) netip.AddrPort {
	t.Helper()

	peer := serveTCP(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })

	for range 10 { // another program may have the port over UDP
		conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}).DialContext(t.Context(), "tcp", peer.String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })

		address := netip.MustParseAddrPort(conn.LocalAddr().String())

		packets, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(address), net.UDPAddrFromAddrPort(peer))
		if err == nil {
			t.Cleanup(func() { _ = packets.Close() })

			return address
		}
	}

	t.Fatal("no port is free over TCP and UDP")

	return netip.AddrPort{}
}

// nameServer is a name server that answers by the first label of the name.
type nameServer struct {
	netip.AddrPort

	udp, tcp atomic.Int32
}

// serveDNS starts a name server, over UDP and TCP on one port. Names beginning with
//
//	ok         have the address 100.82.13.87, once as an alias
//	six        have an IPv6 address only
//	none       have no address
//	nx, fail, refuse, notimp get that code
//	old        get FORMERR, unless they are asked for without EDNS
//	silent     get no answer, late one from the second question on
//	big        are truncated over UDP
//	bigsilent  are truncated over UDP, and get no answer over TCP
//	garbage    get bytes that are no message
//	forged     get an answer to another question before theirs
func serveDNS(t *testing.T) *nameServer {
	t.Helper()

	server := &nameServer{}

	var (
		packets  net.PacketConn
		listener net.Listener
		err      error
	)

	for range 10 { // another program may take the port between the two
		listener, err = net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)

		if packets, err = net.ListenPacket("udp", listener.Addr().String()); err == nil {
			break
		}

		_ = listener.Close()
	}

	require.NoError(t, err)

	server.AddrPort = netip.MustParseAddrPort(listener.Addr().String())

	for _, one := range []*dns.Server{
		{PacketConn: packets, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) { server.udp.Add(1); server.answer(w, q, false) })},
		{Listener: listener, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) { server.tcp.Add(1); server.answer(w, q, true) })},
	} {
		started := make(chan struct{})
		one.NotifyStartedFunc = func() { close(started) }

		go func() { _ = one.ActivateAndServe() }()

		<-started
		t.Cleanup(func() { _ = one.Shutdown() })
	}

	return server
}

func (s *nameServer) answer(w dns.ResponseWriter, question *dns.Msg, overTCP bool) {
	name := question.Question[0].Name
	kind, _, _ := strings.Cut(name, ".")
	reply := new(dns.Msg).SetReply(question)

	record := func(text string, args ...any) {
		rr, err := dns.NewRR(fmt.Sprintf(text, args...))
		if err != nil {
			panic(err)
		}

		reply.Answer = append(reply.Answer, rr)
	}

	switch kind {
	case "ok", "forged", "late":
		if question.Question[0].Qtype == dns.TypeA {
			record("%s 60 IN CNAME real.%s", name, name)
			record("real.%s 60 IN A 100.82.13.87", name)
		}
	case "six":
		if question.Question[0].Qtype == dns.TypeAAAA {
			record("%s 60 IN AAAA fd7a:115c:a1e0::57", name)
		}
	case "nx":
		reply.Rcode = dns.RcodeNameError
	case "fail":
		reply.Rcode = dns.RcodeServerFailure
	case "refuse":
		reply.Rcode = dns.RcodeRefused
	case "notimp":
		reply.Rcode = dns.RcodeNotImplemented
	case "old":
		if question.IsEdns0() != nil { // as servers from before EDNS say, with nothing but a header
			_ = w.WriteMsg(&dns.Msg{MsgHdr: dns.MsgHdr{Id: question.Id, Response: true, Rcode: dns.RcodeFormatError}})

			return
		}

		record("%s 60 IN A 100.82.13.87", name)
	case "silent":
		return
	case "big", "bigsilent":
		if overTCP && kind == "bigsilent" {
			return
		}

		for i := range 200 {
			record("%s 60 IN A 100.64.1.%d", name, i)
		}

		if !overTCP {
			reply.Truncate(512)
		}
	case "garbage":
		bytes, _ := reply.Pack()
		_, _ = w.Write(append(bytes[:12:12], 0xff, 0xff, 0xff))

		return
	}

	if kind == "late" && s.udp.Load() < 2 {
		return
	}

	if kind == "forged" {
		other := reply.Copy()
		other.Id++
		_ = w.WriteMsg(other)

		other = reply.Copy()
		other.Question[0].Name = "elsewhere."
		_ = w.WriteMsg(other)
	}

	_ = w.WriteMsg(reply)
}

// sendAlert reads what a client says first and answers with an alert of TLS.
func sendAlert(alert byte) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = conn.Write([]byte{21, 3, 3, 0, 2, 2, alert})
		_, _ = conn.Read(make([]byte, 4096))
	}
}

// serveHTTP2 starts a server that speaks HTTP/2 alone.
func serveHTTP2(t *testing.T, certificate tls.Certificate) netip.AddrPort {
	t.Helper()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)

	protocols := &http.Protocols{}
	protocols.SetHTTP2(true)

	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor == 2 {
				w.WriteHeader(http.StatusTeapot)
			}
		}),
		ErrorLog: silent(), ReadHeaderTimeout: time.Minute, Protocols: protocols,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}},
	}

	go func() { _ = server.ServeTLS(listener, "", "") }()

	t.Cleanup(func() { _ = server.Close() })

	return netip.MustParseAddrPort(listener.Addr().String())
}
