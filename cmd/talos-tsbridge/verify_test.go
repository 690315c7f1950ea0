package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/siderolabs/talos/pkg/machinery/resources/k8s"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talostest"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/report"
)

// verifyServers are the servers that the scripts of verify find through variables: OPEN and SHUT, the addresses of a
// port that is open and of one that is not; TALOS, the endpoint of a cluster; HTTPS, the port of a server for vault.test whose authority is in the file CA; DNS,
// the address of a name server that has the names below ok, and answers SERVFAIL to those below fail; TALOSCONFIG, the file with the credentials
// of a cluster with the nodes healthy, on-tailnet and off.
var verifyServers = sync.OnceValues(startVerifyServers)

type serverAddresses struct {
	open, shut, https, dns string
	talos                  string   // the endpoint of the cluster
	shutBy                 net.Conn // whose port shut is, so that nothing can listen there
	authority, talosconfig []byte
}

// setVerifyServers sets the variables of a script.
func setVerifyServers(env *testscript.Env) error {
	servers, err := verifyServers()
	if err != nil {
		return err
	}

	env.Setenv("OPEN", servers.open)
	env.Setenv("SHUT", servers.shut)
	env.Setenv("HTTPS", servers.https)
	env.Setenv("DNS", servers.dns)
	env.Setenv("TALOS", servers.talos)
	env.Setenv("TSBRIDGE_TIMEOUT", "1m") // the machine may have much else to do

	file := filepath.Join(env.WorkDir, ".tmp", "ca.pem")
	env.Setenv("CA", file)

	if err := os.WriteFile(file, servers.authority, 0o600); err != nil {
		return err
	}

	file = filepath.Join(env.WorkDir, ".tmp", "talosconfig")
	env.Setenv("TALOSCONFIG", file)

	return os.WriteFile(file, servers.talosconfig, 0o600)
}

// startVerifyServers starts servers that run as long as the tests.
func startVerifyServers() (*serverAddresses, error) {
	var listeners [3]net.Listener

	for i := range listeners {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}

		listeners[i] = listener
	}

	open, https, names := listeners[0], listeners[1], listeners[2]

	shut, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}).Dial("tcp", open.Addr().String())
	if err != nil {
		return nil, err
	}

	certificate, authority, err := selfSigned("vault.test")
	if err != nil {
		return nil, err
	}

	packets, err := net.ListenPacket("udp", names.Addr().String())
	if err != nil {
		return nil, err
	}

	_, port, err := net.SplitHostPort(https.Addr().String())
	if err != nil {
		return nil, err
	}

	quiet := log.New(io.Discard, "", 0)
	secured := tls.NewListener(https, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	web := &http.Server{ErrorLog: quiet, ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/sealed" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})}

	go func() { _ = web.Serve(secured) }()
	go func() {
		_ = (&dns.Server{PacketConn: packets, Handler: dns.HandlerFunc(answerName)}).ActivateAndServe()
	}()

	go func() {
		for {
			conn, err := open.Accept()
			if err != nil {
				return
			}

			_ = conn.Close()
		}
	}()

	talos, talosconfig, err := startNodes()
	if err != nil {
		return nil, err
	}

	return &serverAddresses{
		open: open.Addr().String(), shut: shut.LocalAddr().String(), shutBy: shut, https: port, dns: names.Addr().String(), talos: talos,
		authority: authority, talosconfig: talosconfig,
	}, nil
}

// startNodes returns the endpoint of a cluster and its talosconfig.
func startNodes() (endpoint string, talosconfig []byte, err error) {
	cluster, err := talostest.Start()
	if err != nil {
		return "", nil, err
	}

	healthy, err := cluster.AddHealthy("healthy")
	if err != nil {
		return "", nil, err
	}

	made := talostest.Extension("schematic")
	made.TypedSpec().Metadata.Version, made.TypedSpec().Metadata.ExtraInfo = "of-the-node", "customization:\n    extraKernelArgs:\n        - console=ttyS0\n"
	healthy.Version, healthy.Platform = "v1.14.1", "nocloud"

	if err := healthy.Set(made); err != nil {
		return "", nil, err
	}

	node, err := cluster.AddHealthy("on-tailnet")
	if err != nil {
		return "", nil, err
	}

	nodeIP := k8s.NewNodeIP(k8s.NamespaceName, k8s.KubeletID)
	nodeIP.TypedSpec().Addresses = []netip.Addr{netip.MustParseAddr("100.82.13.10")}

	if err := node.Set(nodeIP); err != nil {
		return "", nil, err
	}

	talosconfig, err = cluster.Talosconfig(talostest.RoleAdmin, "healthy")

	return cluster.Endpoint, talosconfig, err
}

func answerName(w dns.ResponseWriter, question *dns.Msg) {
	reply := new(dns.Msg).SetReply(question)
	name := question.Question[0].Name

	switch {
	case strings.HasPrefix(name, "fail."):
		reply.Rcode = dns.RcodeServerFailure
	case strings.HasPrefix(name, "ok."):
		if record, err := dns.NewRR(name + " 60 IN A 100.82.13.87"); err == nil {
			reply.Answer = append(reply.Answer, record)
		}
	default:
		reply.Rcode = dns.RcodeNameError
	}

	_ = w.WriteMsg(reply)
}

// selfSigned returns a certificate for a name that is its own authority, and its PEM.
func selfSigned(name string) (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}

	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
	}

	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)

	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), err
}

// A terminal shows outcomes in colour, and columns line up all the same.
func TestVerifyColour(t *testing.T) {
	t.Parallel()

	results := []verify.Result{
		{Target: "tcp://100.82.13.87:8200", Outcome: verify.OutcomeOK, Latency: verify.Duration(1200 * time.Microsecond), Attempts: 3},
		{Target: "tailnet://vault", Outcome: verify.OutcomeNoSuchName, Detail: "no such name", Attempts: 1},
	}

	var plain, coloured bytes.Buffer

	tableWriter{out: &plain}.results(results)
	tableWriter{out: &coloured, colour: true}.results(results)

	assert.Equal(t, `RESULT         TARGET                    TIME    DETAIL
ok             tcp://100.82.13.87:8200   1.2ms   at attempt 3
no-such-name   tailnet://vault           0s      no such name
`, plain.String())
	assert.Contains(t, coloured.String(), "\x1b[32mok\x1b[0m")
	assert.Contains(t, coloured.String(), "\x1b[31mno-such-name\x1b[0m")
	assert.Equal(t, plain.String(), strings.NewReplacer("\x1b[32m", "", "\x1b[31m", "", "\x1b[0m", "").Replace(coloured.String()))
}

// What is waited for is one line that is erased in the end.
func TestVerifyProgress(t *testing.T) {
	t.Parallel()

	var shown bytes.Buffer

	p := &progress{out: &shown, total: 2, until: time.Now().Add(time.Minute), outcomes: map[string]verify.Outcome{}}
	p.attempt(verify.Result{Target: "tcp://h:1", Outcome: verify.OutcomeOK})
	p.attempt(verify.Result{Target: "tcp://" + strings.Repeat("h", 80) + ":1", Outcome: verify.OutcomeRefused})
	p.end()

	lines := strings.Split(shown.String(), eraseLine)
	require.Len(t, lines, 4)
	assert.Equal(t, "1 of 2 reached", lines[1])
	assert.Contains(t, lines[2], "left, tcp://hhh")
	assert.Len(t, lines[2], 79)
	assert.Empty(t, lines[3])
}

// The exit code is that of what weighs most.
func TestVerifyExitCodes(t *testing.T) {
	t.Parallel()

	for want, severities := range map[int][]verify.Severity{
		exitFailed: {verify.SeverityWarning, verify.SeverityUnknown, verify.SeverityFault},
		exitUnseen: {verify.SeverityWarning, verify.SeverityUnknown},
	} {
		found := &report.Report{}
		for _, severity := range severities {
			found.Findings = append(found.Findings, verify.Finding{Severity: severity})
		}

		var failure exitError

		require.ErrorAs(t, failureOf(found), &failure)
		assert.Equal(t, want, failure.code)
	}

	require.NoError(t, failureOf(&report.Report{Findings: []verify.Finding{{Severity: verify.SeverityWarning}}}))
}

// late is a listener of a server that hangs up on the first who comes.
type late struct {
	net.Listener

	first sync.Once
}

func (l *late) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()

	l.first.Do(func() {
		if err == nil {
			_ = conn.Close()
			conn, err = l.Listener.Accept()
		}
	})

	return conn, err
}

// Waiting ends when the target is reached, and the attempts are told.
func TestVerifyWait(t *testing.T) {
	t.Parallel()

	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Listener = &late{Listener: server.Listener}
	server.StartTLS()
	t.Cleanup(server.Close)

	var stdout, stderr bytes.Buffer

	code := run(t.Context(), []string{"verify", "--wait", "1m", "--timeout", "1m", "-o", "json", "--insecure", server.URL}, nil, strings.NewReader(""), &stdout, &stderr)
	assert.Equal(t, exitDone, code, stderr.String())
	assert.Empty(t, stderr.String(), "no progress where nobody looks")

	var found report.Report

	require.NoError(t, json.Unmarshal(stdout.Bytes(), &found))
	assert.Equal(t, verify.OutcomeOK, found.Results[0].Outcome)
	assert.Equal(t, 2, found.Results[0].Attempts)
	assert.Equal(t, []verify.Finding{}, found.Findings)
}

// Every flag of verify has its variable, and wrong ones are refused together.
func TestVerifyFaultsTogether(t *testing.T) {
	t.Parallel()

	var stdout, stderr bytes.Buffer

	code := run(t.Context(), []string{"verify", "--from", "moon", "-o", "yaml", "vault"}, []string{
		"TSBRIDGE_TIMEOUT=0s", "TSBRIDGE_PARALLEL=0", "TSBRIDGE_MAGIC_DNS=vault",
		"TSBRIDGE_CA_FILE=ca.pem", "TSBRIDGE_INSECURE=true",
	}, strings.NewReader(""), &stdout, &stderr)

	assert.Equal(t, exitUsage, code)
	assert.Empty(t, stdout.String())
	assert.Equal(t, strings.Join([]string{
		"error: --timeout is 0s: write a time such as 30s, 5m or 1h",
		"error: --parallel is 0: write 1 or more",
		`error: --from "moon": the place is unknown: write host, pod or node`,
		`error: --magic-dns: server "vault" is not an IP address: write one such as 100.100.100.100, or with a port 127.0.0.1:5353`,
		"error: --ca-file or --insecure, not both: with --insecure no certificate is verified",
		`error: target "vault" has no scheme: write tcp://HOST:PORT, https://NAME:PORT/PATH@IP, dns://NAME@SERVER, tailnet://NAME, talos://NAME or kube://NAME`,
		`error: --output "yaml" is unknown: write table or json`,
		"",
	}, "\n"), stderr.String())
}
