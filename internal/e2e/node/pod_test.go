package node

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

// What the Job of verify --manifest says from a pod behind a node: the very script, in the pod's network.
func TestPod(t *testing.T) {
	t.Parallel()

	for _, program := range []string{"nc", "nslookup", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("the Job's script needs it:", err)
		}
	}

	c := newCluster(t)
	key := c.Control.ReusableKey(t)
	n := c.controlPlane(t, key)
	n.joined(t)

	peer := c.NewNode(t)
	status := peer.Start(t, lab.PrintPatch(t, key, "--login-server="+c.Control.URL, "--hostname=vault")).Joined(t)
	address := status.TailscaleIPs[0].String()

	peer.Namespace.Serve(t, net.JoinHostPort(address, "8200"), "hello")
	serveHTTPS(t, peer.Namespace, net.JoinHostPort(address, "8201"), "vault.tailnet.example")

	pod := lab.NewPod(t, n.Namespace)
	lab.MasqueradePods(t, n.Namespace)

	tcp := "tcp://" + net.JoinHostPort(address, "8200")
	https := "https://vault.tailnet.example:8201/@" + address

	lab.Eventually(t, 30*time.Second, "the pod reaches the peer", func() error { return pod.Greeted(net.JoinHostPort(address, "8200"), "hello") })

	log, err := lab.RunJob(t, pod, nil, "--insecure", tcp, https)
	if err != nil {
		t.Errorf("the Job fails: %v\n%s", err, log)
	}

	// The log of a Job that failed is diagnosed from outside, together with what the node sees.
	t.Run("the tailnet is cut", func(t *testing.T) {
		if _, err := c.talosctl("service", "ext-tailscale", "stop"); err != nil {
			t.Fatal(err)
		}

		log, err := lab.RunJob(t, pod, nil, "--insecure", "--timeout=2s", tcp)
		if err == nil {
			t.Fatalf("the Job succeeds without the tailnet:\n%s", log)
		}

		saved := filepath.Join(t.TempDir(), "job.log")
		lab.WriteFile(t, saved, log)

		c.finds(t, n, 1, []string{"tailnet-unreachable", "service-down"}, "--also="+saved)
	})
}

// serveHTTPS answers requests for a name, and ends the handshake for any other, as a server does that has several.
func serveHTTPS(t testing.TB, place *lab.Namespace, address, name string) {
	t.Helper()

	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}

	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
	}

	certificate, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}

	var listener net.Listener

	if err := place.Inside(func() (err error) {
		listener, err = net.Listen("tcp4", address)

		return err
	}); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = listener.Close() })

	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }),
		TLSConfig: &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if hello.ServerName != name {
				return nil, errors.New("no such name")
			}

			return &tls.Certificate{Certificate: [][]byte{certificate}, PrivateKey: private}, nil
		}},
	}

	go func() { _ = server.ServeTLS(listener, "", "") }()
}
