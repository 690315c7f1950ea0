package node

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

// hostDNS is where Talos answers the names of its nodes and, through CoreDNS, those of its pods.
const hostDNS = "169.254.116.108:53"

// A pod asks what its cluster's DNS asks: the node's own resolver.
func TestNames(t *testing.T) {
	t.Parallel()

	c := newCluster(t)
	key := c.Control.ReusableKey(t)
	n := c.controlPlane(t, key, "--static-host=vault.tailnet.example=100.64.0.77,fd7a:115c:a1e0::77")
	address := n.joined(t)
	pod := lab.NewPod(t, n.Namespace)

	lab.MasqueradePods(t, n.Namespace)

	answers := func(t *testing.T, network, name string, kind dnsmessage.Type, want ...netip.Addr) {
		t.Helper()

		lab.Eventually(t, 20*time.Second, fmt.Sprintf("%s %v over %s is %v", name, kind, network, want), func() error {
			code, got, err := pod.Ask(network, hostDNS, name, kind)
			if err == nil && (code != dnsmessage.RCodeSuccess || !slices.Equal(got, want)) {
				err = fmt.Errorf("%v %v", code, got)
			}

			return err
		})
	}

	for _, network := range []string{"udp4", "tcp4"} {
		answers(t, network, "vault.tailnet.example.", dnsmessage.TypeA, netip.MustParseAddr("100.64.0.77"))
		answers(t, network, "vault.tailnet.example.", dnsmessage.TypeAAAA, netip.MustParseAddr("fd7a:115c:a1e0::77"))
	}

	t.Run("a device that moved", func(t *testing.T) {
		config := c.applied(t, n, key, "--static-host=vault.tailnet.example=100.64.0.78")
		c.apply(t, n, config)

		answers(t, "udp4", "vault.tailnet.example.", dnsmessage.TypeA, netip.MustParseAddr("100.64.0.78"))

		// No nameserver answers for the address that is no longer given.
		if _, got, err := pod.Ask("udp4", hostDNS, "vault.tailnet.example.", dnsmessage.TypeAAAA); err != nil || len(got) > 0 {
			t.Errorf("its old address is still given: %v %v", got, err)
		}
	})

	t.Run("all names of the tailnet", func(t *testing.T) {
		c.LAN.DenyNames(t, net.JoinHostPort(lab.LANAddress, "53"))
		c.apply(t, n, c.applied(t, n, key, "--magicdns=resolver", "--nameserver="+lab.LANAddress))

		answers(t, "udp4", "lab-cp-1.tailnet.example.", dnsmessage.TypeA, address)

		if code, _, err := pod.Ask("udp4", hostDNS, "elsewhere.example.", dnsmessage.TypeA); err != nil || code != dnsmessage.RCodeNameError {
			t.Errorf("a name outside of the tailnet is answered with %v, %v", code, err)
		}

		// Without tailscaled the other names still are answered, by the next nameserver.
		if _, err := c.talosctl("service", "ext-tailscale", "stop"); err != nil {
			t.Fatal(err)
		}

		lab.Eventually(t, 20*time.Second, "tailscaled ends", func() error {
			if address, err := n.tailnetAddress(); err == nil {
				return fmt.Errorf("the node has the address %s", address)
			}

			return nil
		})

		// As on most LANs, what is sent to MagicDNS then leaves by the gateway, and nobody answers.
		n.Run(t, "ip", "route", "replace", "default", "via", lab.LANAddress)
		c.LAN.Run(t, "ip", "route", "add", "blackhole", "100.64.0.0/10")

		var took time.Duration

		// The first goes over a connection of before, which fails at once.
		for _, name := range []string{"nowhere.example.", "nowhere-else.example."} {
			asked := time.Now()

			if code, _, err := pod.Ask("udp4", hostDNS, name, dnsmessage.TypeA); err != nil || code != dnsmessage.RCodeNameError {
				t.Errorf("without tailscaled the name %s outside of the tailnet is answered with %v, %v", name, code, err)
			}

			took = time.Since(asked)
		}

		// It is what the docs say that each of these names costs.
		if took < time.Second {
			t.Errorf("without tailscaled a name outside of the tailnet is answered after %s: no server was waited for", took)
		} else {
			t.Logf("without tailscaled a name outside of the tailnet takes %s", took)
		}
	})
}

// applied is the node's own config with what our binary applies to it.
func (c *cluster) applied(t testing.TB, n *node, key string, flags ...string) []byte {
	t.Helper()

	command := lab.Bridge(key, slices.Concat([]string{"apply", "-", "--quiet"}, flags)...)
	command.Stdin = bytes.NewReader(c.current(t, n))

	config, err := output(command)
	if err != nil {
		t.Fatal(err)
	}

	return config
}

// current is the config that a node has persisted.
func (c *cluster) current(t testing.TB, n *node) []byte {
	t.Helper()

	printed, err := c.talosctl("--nodes", n.LANAddress, "get", "machineconfigs", "v1alpha1", "--output", "jsonpath={.spec}")
	if err != nil {
		t.Fatal(err)
	}

	return printed
}
