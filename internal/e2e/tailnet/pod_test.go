package tailnet

import (
	"testing"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

// A pod needs nothing of its own to reach the tailnet: the node's TUN and the
// masquerade that the cluster network sets up are enough.
func TestPodReachesPeerThroughNode(t *testing.T) {
	lab.NeedsKernel(t, "a pod behind the node reaches a peer by its tailnet address (needs a TUN that other traffic can be routed to)")

	node, pod, peerAddress := lab.NewBridge(t)

	if err := pod.Greeted(peerAddress, "hello"); err == nil {
		t.Error("the pod reaches the peer without masquerade: this test shows nothing")
	}

	lab.MasqueradePods(t, node.Namespace)

	lab.Eventually(t, 30*time.Second, "the pod reaches the peer", func() error {
		return pod.Greeted(peerAddress, "hello")
	})
}
