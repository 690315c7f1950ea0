package lab

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// NewBridge is a node, a pod behind it that nothing masquerades yet, and the
// tailnet address at which a peer says hello. The node reaches the peer, which
// tells a failing tunnel from a failing pod.
func NewBridge(t testing.TB) (*Node, *Namespace, string) {
	t.Helper()

	tailnet := NewTailnet(t)
	key := tailnet.Control.ReusableKey(t)
	node, peer := tailnet.NewNode(t), tailnet.NewNode(t)

	node.Start(t, PrintPatch(t, key, "--login-server="+tailnet.Control.URL, "--hostname=node")).Joined(t)

	peerStatus := peer.Start(t, PrintPatch(t, key, "--login-server="+tailnet.Control.URL, "--hostname=peer")).Joined(t)
	peerAddress := net.JoinHostPort(peerStatus.TailscaleIPs[0].String(), "8000")
	peer.Namespace.Serve(t, peerAddress, "hello")

	pod := NewPod(t, node.Namespace)

	Eventually(t, 30*time.Second, "the node reaches the peer", func() error {
		return node.Namespace.Greeted(peerAddress, "hello")
	})

	return node, pod, peerAddress
}

// NewPod is a namespace behind the node, as a cluster network sets it up.
func NewPod(t testing.TB, node *Namespace) *Namespace {
	t.Helper()

	pod := NewNamespace(t)
	pod.Connect(t, "eth0", node, "pod0")
	node.Address(t, "pod0", "10.244.0.1/24", "")
	pod.Address(t, "eth0", "10.244.0.2/24", "10.244.0.1")

	return pod
}

// MasqueradePods does it as flannel does.
func MasqueradePods(t testing.TB, node *Namespace) {
	t.Helper()

	node.Run(t, "iptables", "-t", "nat", "-A", "POSTROUTING",
		"-s", "10.244.0.0/16", "!", "-d", "224.0.0.0/4", "-j", "MASQUERADE")
}

// Serve greets who connects to an address inside the namespace.
func (n *Namespace) Serve(t testing.TB, address, greeting string) {
	t.Helper()

	var listener net.Listener

	if err := n.Inside(func() (err error) {
		listener, err = net.Listen("tcp4", address)

		return err
	}); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { listener.Close() })

	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}

			io.WriteString(connection, greeting)
			connection.Close()
		}
	}()
}

// Greeted connects from inside the namespace.
func (n *Namespace) Greeted(address, greeting string) error {
	var connection net.Conn

	if err := n.Inside(func() (err error) {
		connection, err = net.DialTimeout("tcp4", address, 3*time.Second)

		return err
	}); err != nil {
		return err
	}

	defer connection.Close()

	if err := connection.SetDeadline(time.Now().Add(3 * time.Second)); err != nil {
		return err
	}

	got, err := io.ReadAll(connection)
	if err != nil {
		return err
	}

	if string(got) != greeting {
		return fmt.Errorf("greeted with %q", got)
	}

	return nil
}
