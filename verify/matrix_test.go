package verify_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

//go:generate go test -run ^TestMatrix$ -update .

var updateDocs = flag.Bool("update", false, "write the tables in docs/verify.md anew")

// standIns are servers at addresses that this machine does not have: a connection to one is made to where it stands.
type standIns map[string]string

// dial is the way to the stand-ins. An address that has none is silent, as one to which packets are dropped.
func (s standIns) dial(ctx context.Context, network, address string) (net.Conn, error) {
	at, ok := s[address]
	if !ok {
		<-ctx.Done()

		return nil, ctx.Err()
	}

	return new(net.Dialer).DialContext(ctx, network, at)
}

// serveSOCKS starts a SOCKS5 proxy, written by RFC 1928 for this test alone, that reaches the stand-ins. A silent address
// it reports as a general failure, as tailscaled does, after a while.
func (s standIns) serveSOCKS(t *testing.T) string {
	t.Helper()

	return serveTCP(t, func(conn net.Conn) {
		head := make([]byte, 2)
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}

		_, _ = io.ReadFull(conn, make([]byte, head[1]))
		_, _ = conn.Write([]byte{5, 0})

		request := make([]byte, 4)
		if _, err := io.ReadFull(conn, request); err != nil {
			return
		}

		var host string

		switch request[3] {
		case 1, 4:
			ip := make([]byte, map[byte]int{1: 4, 4: 16}[request[3]])
			_, _ = io.ReadFull(conn, ip)
			address, _ := netip.AddrFromSlice(ip)
			host = address.String()
		default:
			size := make([]byte, 1)
			_, _ = io.ReadFull(conn, size)
			name := make([]byte, size[0])
			_, _ = io.ReadFull(conn, name)
			host = string(name)
		}

		port := make([]byte, 2)
		_, _ = io.ReadFull(conn, port)

		address := net.JoinHostPort(host, fmt.Sprint(binary.BigEndian.Uint16(port)))
		reply, timeout := byte(1), short/2

		if _, stands := s[address]; stands {
			reply, timeout = 5, patient
		}

		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()

		through, err := s.dial(ctx, "tcp", address)
		if err != nil {
			_, _ = conn.Write([]byte{5, reply, 0, 1, 0, 0, 0, 0, 0, 0})

			return
		}

		defer func() { _ = through.Close() }()

		_, _ = conn.Write([]byte{5, 0, 0, 1, 127, 0, 0, 1, 0, 0})

		var both sync.WaitGroup

		both.Go(func() { _, _ = io.Copy(through, conn); _ = through.Close() })
		both.Go(func() { _, _ = io.Copy(conn, through); _ = conn.Close() })
		both.Wait()
	}).String()
}

// matrixServer is a kind of server, and what a diagnosis of it has to be wherever it is reached from.
type matrixServer struct {
	name string
	want verify.Code // empty where nothing is wrong; "silent" where it depends on the address and the place
	at   string
}

const silentServer verify.Code = "silent"

func matrixServers(t *testing.T, host string) ([]matrixServer, *x509.CertPool, *issued) {
	t.Helper()

	p := newPKI(t, host)
	good := chain(p.leaf, p.intermediate)
	server := forServer(host)
	expired := issue(t, p.root, "Old Intermediate", -800*day, -day, anAuthority)

	with := func(certificate tls.Certificate, change func(*tls.Config)) string {
		config := &tls.Config{Certificates: []tls.Certificate{certificate}}
		if change != nil {
			change(config)
		}

		return serveTLS(t, config, answer)
	}

	return []matrixServer{
		{"refused", verify.CodeRefused, closedPort(t).String()},
		{"dropped", silentServer, ""},
		{"reset", verify.CodeClosed, serveTCP(t, func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 1))
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}).String()},
		{"slow", verify.CodeTLSStalled, serveTCP(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }).String()},
		{"TLS 1.2", "", with(good, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 })},
		{"TLS 1.3", "", with(good, func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 })},
		{"TLS 1.1", verify.CodeTLSVersion, with(good, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })},
		{"mutual TLS", verify.CodeClientCertificate, with(good, func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert })},
		{"mutual TLS 1.2", verify.CodeClientCertificate, with(good, func(c *tls.Config) { c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12 })},
		{"HTTP/1.1", "", with(good, func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} })},
		{"HTTP/2", "", serveHTTP2(t, good).String()},
		{"no HTTP", verify.CodeNoHTTP, serveTLS(t, &tls.Config{Certificates: []tls.Certificate{good}}, func(conn *tls.Conn) { _, _ = conn.Write([]byte("+OK POP3\r\n")) })},
		{"no TLS", verify.CodeNotTLS, serveTCP(t, func(conn net.Conn) { _, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }).String()},
		{"leaf expired", verify.CodeTLSExpired, with(chain(issue(t, p.intermediate, "vault", -90*day, -day, server), p.intermediate), nil)},
		{"intermediate expired", verify.CodeTLSExpired, with(chain(issue(t, expired, "vault", -day, 90*day, server), expired), nil)},
		{"intermediate missing", verify.CodeTLSChain, with(chain(p.leaf), nil)},
		{"self-signed", verify.CodeTLSUntrusted, with(chain(issue(t, nil, "vault", -day, 90*day, server)), nil)},
		{"wrong name", verify.CodeTLSName, with(chain(issue(t, p.intermediate, "db", -day, 90*day, forServer("db.example.com")), p.intermediate), nil)},
		{"no certificate", verify.CodeTLSNoCertificate, serveTCP(t, sendAlert(80)).String()},
		{"due for renewal", verify.CodeTLSExpires, with(chain(issue(t, p.intermediate, "vault", -80*day, 10*day, server), p.intermediate), nil)},
	}, p.trusted, p.root
}

// matrixAddresses are one of each kind, and what a server that is silent there means, from the host, a pod, a node and
// through the proxy of a tailscaled in userspace mode.
var matrixAddresses = []struct {
	name, address string
	silent        [4]verify.Code
}{
	{"tailnet IPv4", "100.82.13.87", [4]verify.Code{verify.CodeTailnetUnreachable, verify.CodeTailnetUnreachable, verify.CodeTailnetUnreachable, verify.CodeProxy}},
	{"tailnet IPv6", "fd7a:115c:a1e0::d537:d57", [4]verify.Code{verify.CodeTailnetUnreachable, verify.CodeTailnetUnreachable, verify.CodeTailnetUnreachable, verify.CodeProxy}},
	{"subnet route", "192.168.7.10", [4]verify.Code{verify.CodeAddressSilent, verify.CodeAddressSilent, verify.CodeAddressSilent, verify.CodeProxy}},
	{"4via6 route", "fd7a:115c:a1e0:b1a:0:7:c0a8:70a", [4]verify.Code{verify.CodeRouteSilent, verify.CodeRouteSilent, verify.CodeRouteSilent, verify.CodeProxy}},
	{"public", "203.0.113.7", [4]verify.Code{verify.CodeAddressSilent, verify.CodeAddressSilent, verify.CodeAddressSilent, verify.CodeProxy}},
}

var matrixPlaces = []string{"host", "pod", "node", "proxy"}

// Whatever server stands at whatever address, each place names what is wrong, and nothing else.
func TestMatrix(t *testing.T) {
	t.Parallel()

	const host, port = "vault.tail1234.ts.net", 8200

	servers, trusted, _ := matrixServers(t, host)

	var (
		guard sync.Mutex
		rows  = map[string]string{}
		cells int
	)

	t.Run("rows", func(t *testing.T) {
		for _, server := range servers {
			for _, address := range matrixAddresses {
				t.Run(server.name+" at "+address.name, func(t *testing.T) {
					t.Parallel()

					ways := standIns{}
					if server.at != "" {
						ways[net.JoinHostPort(address.address, fmt.Sprint(port))] = server.at
					}

					proxy, err := verify.ParseProxy("socks5://" + ways.serveSOCKS(t))
					require.NoError(t, err)

					cellsOfRow := make([]string, len(matrixPlaces))

					var places sync.WaitGroup

					for i, place := range matrixPlaces {
						places.Go(func() {
							checker := &verify.Checker{CAs: trusted, From: verify.Place(place), Dial: ways.dial}
							if place == "proxy" {
								checker.From, checker.Dial, checker.Proxy = verify.PlaceHost, proxy.Dial, proxy.String()
							}

							want := server.want
							if want == silentServer {
								want = address.silent[i]
							}

							// only what never answers is worth a short wait, and a longer one where it takes the connection first
							switch {
							case server.want == silentServer && place != "proxy":
								checker.Timeout = short
							case server.want == verify.CodeTLSStalled:
								checker.Timeout = 10 * short
							}

							result := check(t, checker, fmt.Sprintf("https://%s:%d/@%s", host, port, address.address))[0]
							found := codes(verify.Diagnose([]verify.Result{result}))

							if want == "" {
								assert.Empty(t, found, "%s: %s", place, result.Detail)

								cellsOfRow[i] = "ok"
							} else {
								assert.Equal(t, []verify.Code{want}, found, "%s: %s", place, result.Detail)

								cellsOfRow[i] = "`" + string(want) + "`"
							}
						})
					}

					places.Wait()

					guard.Lock()
					defer guard.Unlock()

					rows[server.name+address.name] = "| " + server.name + " | " + address.name + " | " + strings.Join(cellsOfRow, " | ") + " |"
					cells += len(matrixPlaces)
				})
			}
		}
	})

	if t.Failed() {
		return
	}

	table := []string{"| server | address | from a host | from a pod | from a node | through a proxy |", "|---|---|---|---|---|---|"}

	for _, server := range servers {
		for _, address := range matrixAddresses {
			table = append(table, rows[server.name+address.name])
		}
	}

	assert.GreaterOrEqual(t, len(table)-2, 60)
	t.Logf("%d rows, %d diagnoses", len(table)-2, cells)
	checkMatrix(t, strings.Join(table, "\n"))
}

// checkMatrix holds the matrix in docs/verify.md against the one that was found.
func checkMatrix(t *testing.T, text string) {
	t.Helper()

	const (
		file  = "../docs/verify.md"
		begin = "<!-- begin matrix: generated by go test ./verify -update -->\n"
		end   = "<!-- end matrix -->"
	)

	whole, err := os.ReadFile(file)
	require.NoError(t, err)

	before, rest, ok := strings.Cut(string(whole), begin)
	require.True(t, ok, "%s has no matrix", file)

	present, after, ok := strings.Cut(rest, end)
	require.True(t, ok)

	if *updateDocs {
		require.NoError(t, os.WriteFile(file, []byte(before+begin+"\n"+text+"\n\n"+end+after), 0o600))

		return
	}

	assert.True(t, strings.TrimSpace(present) == text, "the matrix in %s is not what the tests find: run go test ./verify -update", file)
}
