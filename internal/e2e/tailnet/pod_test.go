package tailnet

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// A pod needs nothing of its own to reach the tailnet: the node's TUN and the
// masquerade that the cluster network sets up are enough.
func TestPodReachesPeerThroughNode(t *testing.T) {
	needsKernel(t, "a pod behind the node reaches a peer by its tailnet address (needs a TUN that other traffic can be routed to)")

	node, pod, peerAddress := newBridge(t)

	if err := pod.greeted(peerAddress, "hello"); err == nil {
		t.Error("the pod reaches the peer without masquerade: this test shows nothing")
	}

	masqueradePods(t, node)

	eventually(t, 30*time.Second, "the pod reaches the peer", func() error {
		return pod.greeted(peerAddress, "hello")
	})
}

// newBridge is a node, a pod behind it that nothing masquerades yet, and the
// tailnet address at which a peer says hello. The node reaches the peer, which
// tells a failing tunnel from a failing pod.
func newBridge(t *testing.T) (*node, *namespace, string) {
	t.Helper()

	tailnet := newTailnet(t)
	key := tailnet.control.reusableKey(t)
	node, peer := tailnet.newNode(t), tailnet.newNode(t)

	node.start(t, printPatch(t, key, "--login-server="+tailnet.control.url, "--hostname=node")).joined(t)

	peerStatus := peer.start(t, printPatch(t, key, "--login-server="+tailnet.control.url, "--hostname=peer")).joined(t)
	peerAddress := net.JoinHostPort(peerStatus.TailscaleIPs[0].String(), "8000")
	peer.namespace.serve(t, peerAddress, "hello")

	pod := newPod(t, node)

	eventually(t, 30*time.Second, "the node reaches the peer", func() error {
		return node.namespace.greeted(peerAddress, "hello")
	})

	return node, pod, peerAddress
}

// newPod is a namespace behind the node, as a cluster network sets it up.
func newPod(t *testing.T, node *node) *namespace {
	t.Helper()

	pod := newNamespace(t)
	pod.connect(t, "eth0", node.namespace, "pod0")
	node.namespace.address(t, "pod0", "10.244.0.1/24", "")
	pod.address(t, "eth0", "10.244.0.2/24", "10.244.0.1")

	return pod
}

// masqueradePods does it as flannel does.
func masqueradePods(t *testing.T, node *node) {
	t.Helper()

	node.namespace.run(t, "iptables", "-t", "nat", "-A", "POSTROUTING",
		"-s", "10.244.0.0/16", "!", "-d", "224.0.0.0/4", "-j", "MASQUERADE")
}

// serve greets who connects to an address inside the namespace.
func (n *namespace) serve(t *testing.T, address, greeting string) {
	t.Helper()

	var listener net.Listener

	if err := n.inside(func() (err error) {
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

// greeted connects from inside the namespace.
func (n *namespace) greeted(address, greeting string) error {
	var connection net.Conn

	if err := n.inside(func() (err error) {
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
