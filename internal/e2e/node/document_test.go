package node

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

// With the key in a file of the service, no process has it, and no log.
func TestAuthKeyMount(t *testing.T) {
	t.Parallel()

	c := newCluster(t)
	key := c.Control.SingleUseKey(t)
	config := c.config(t, "controlplane", c.patch(t, key, "--role=controlplane", "--auth-key-mount=/var/etc/tailscale/auth-key"))
	watch := lab.WatchFor(key)

	c.endpoint.on(t, config)
	c.answers(t, c.endpoint)
	c.endpoint.joined(t)

	// The platform of a container hands its config over in a variable of the first process, which is not the service's.
	for _, where := range watch.Stop() {
		if !strings.HasPrefix(where, "init ") && !strings.HasPrefix(where, "nsenter ") && !strings.HasPrefix(where, "node.test ") {
			t.Errorf("the key was seen in %s", where)
		}
	}

	log, err := c.talosctl("logs", "ext-tailscale")
	if err != nil {
		t.Fatal(err)
	}

	if bytes.Contains(log, []byte(key)) {
		t.Error("the key is in the service's log")
	}
}

// The names that the certificate of the Talos API gets, and the firewall that lets only the tailnet to it.
func TestTalosAPIOverTailnet(t *testing.T) {
	t.Parallel()

	c := newCluster(t)
	key := c.Control.ReusableKey(t)
	n := c.controlPlane(t, key, "--cert-san=talos.example", "--magicdns-domain=tailnet.example")
	overTailnet := net.JoinHostPort(n.joined(t).String(), "50000")
	overLAN := net.JoinHostPort(n.LANAddress, "50000")

	peer := c.NewNode(t)
	peer.Start(t, lab.PrintPatch(t, key, "--login-server="+c.Control.URL, "--hostname=peer")).Joined(t)

	lab.Eventually(t, 30*time.Second, "a peer sees the certificate with its names", func() error {
		certificate, err := certificateNames(peer.Namespace, overTailnet)
		if err != nil {
			return err
		}

		for _, name := range []string{"talos.example", "lab-cp-1.tailnet.example", "lab-cp-1"} {
			if !slices.Contains(certificate, name) {
				return fmt.Errorf("it has %v, and not %s", certificate, name)
			}
		}

		return nil
	})

	t.Run("firewall", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "config.yaml")
		lab.WriteFile(t, file, string(c.current(t, n))+"\n---\napiVersion: v1alpha1\nkind: NetworkDefaultActionConfig\ningress: block\n")

		command := lab.Bridge(key, "apply", file, "--quiet", "--firewall", "--tailscaled-port=41641")

		config, err := output(command)
		if err != nil {
			t.Fatal(err)
		}

		c.apply(t, n, config)

		lab.Eventually(t, 20*time.Second, "the LAN is kept out", func() error {
			if _, err := certificateNames(c.LAN.Namespace, overLAN); err == nil {
				return fmt.Errorf("it reaches the Talos API")
			}

			return nil
		})

		lab.Eventually(t, 30*time.Second, "the tailnet is let in", func() error {
			_, err := certificateNames(peer.Namespace, overTailnet)

			return err
		})
	})
}

// certificateNames are those of the certificate that a server shows.
func certificateNames(from *lab.Namespace, address string) ([]string, error) {
	var connection net.Conn

	if err := from.Inside(func() (err error) {
		connection, err = net.DialTimeout("tcp4", address, 3*time.Second)

		return err
	}); err != nil {
		return nil, err
	}

	defer connection.Close()

	if err := connection.SetDeadline(time.Now().Add(3 * time.Second)); err != nil {
		return nil, err
	}

	secured := tls.Client(connection, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // what it shows is all that is asked

	// The server then wants a certificate from us, after it has shown its own.
	if err := secured.Handshake(); err != nil && len(secured.ConnectionState().PeerCertificates) == 0 {
		return nil, err
	}

	return secured.ConnectionState().PeerCertificates[0].DNSNames, nil
}

// A route of IPv6 takes a setting of the kernel that Talos does not make by itself.
func TestIPv6Route(t *testing.T) {
	t.Parallel()

	c := newCluster(t)
	n := c.controlPlane(t, c.Control.SingleUseKey(t), "--advertise-routes=fd00:55::/64")

	if forwarding := n.Run(t, "cat", "/proc/sys/net/ipv6/conf/all/forwarding"); strings.TrimSpace(forwarding) != "1" {
		t.Errorf("forwarding of IPv6 is %s", forwarding)
	}

	c.Control.Knows(t, lab.Device{Name: "lab-cp-1", AvailableRoutes: []string{"fd00:55::/64"}, Online: true})
}

// Without a network device, the node is on the tailnet, and its pods are not.
func TestUserspace(t *testing.T) {
	t.Parallel()

	c := newCluster(t)
	n := c.endpoint
	n.on(t, c.config(t, "controlplane", c.patch(t, c.Control.SingleUseKey(t), "--role=controlplane", "--hostname=lab-cp-1", "--userspace")))
	c.answers(t, n)
	c.Control.Knows(t, lab.Device{Name: "lab-cp-1", Online: true})

	if address, err := n.tailnetAddress(); err == nil {
		t.Errorf("the node has the tailnet address %s", address)
	}

	c.finds(t, n, 1, []string{"userspace"})
}

// As released, container mode does not let the service follow its document. Joining does not depend on that.
func TestReleasedMachined(t *testing.T) {
	t.Parallel()

	c := newCluster(t)
	n := c.endpoint

	service := bytes.Replace(tailscaleService, []byte("  - configuration: true\n"), nil, 1)
	lab.WriteFile(t, filepath.Join(n.data, "layer/usr/local/etc/containers/tailscale.yaml"), string(service))

	machined, err := os.ReadFile(filepath.Join(talos, "released"))
	if err != nil {
		t.Fatal(err)
	}

	lab.WriteFile(t, filepath.Join(n.data, "layer/usr/bin/init"), string(machined))

	if err := os.Chmod(filepath.Join(n.data, "layer/usr/bin/init"), 0o755); err != nil {
		t.Fatal(err)
	}

	c.controlPlane(t, c.Control.SingleUseKey(t))
	becomes(t, c, n, "nodeips", "kubelet", n.LANAddress, addresses.String)
}
