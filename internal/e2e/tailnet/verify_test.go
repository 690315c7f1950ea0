package tailnet

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

// What is wrong with the bridge is told from what is reached and what is not,
// so it is told right on a real one: without masquerade, with it, and with the
// names that a cluster does not know.
func TestVerifyTellsWhichPlankIsMissing(t *testing.T) {
	lab.NeedsKernel(t, "verify diagnoses a bridge from a pod behind the node (needs a TUN that other traffic can be routed to)")

	node, pod, address := lab.NewBridge(t)
	node.Namespace.DenyNames(t, "10.244.0.1:53")

	reach, name := "tcp://"+address, "dns://peer.tailnet.example@100.100.100.100"
	clusterName := "dns://peer.tailnet.example@10.244.0.1"

	fromNode := lab.Verify(t, node.Namespace, 0, "--from=node", reach)

	// The pod alone cannot know why nothing answers; what the node sees tells it.
	file := filepath.Join(t.TempDir(), "node.json")
	if err := os.WriteFile(file, fromNode.Raw, 0o600); err != nil {
		t.Fatal(err)
	}

	lab.Verify(t, pod, 1, "--from=pod", reach).Finds(t, "tailnet-unreachable")
	lab.Verify(t, pod, 1, "--from=pod", "--also="+file, reach).Finds(t, "no-masquerade")

	lab.MasqueradePods(t, node.Namespace)

	// MagicDNS answers the pod, and the cluster's resolver does not know the name.
	lab.Verify(t, pod, 0, "--from=pod", "--wait=30s", reach, name)
	lab.Verify(t, pod, 1, "--from=pod", reach, name, clusterName).Finds(t, "names-not-bridged")
}
