package tailnet

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

// The resolver inside tailscaled answers pods, although the node itself takes no
// DNS from the tailnet. It knows the tailnet's names and nothing else.
func TestPodResolvesTailnetNames(t *testing.T) {
	lab.NeedsKernel(t, "a pod behind the node resolves the tailnet's names (needs a TUN that other traffic can be routed to)")

	tailnet := lab.NewTailnet(t)
	key := tailnet.Control.ReusableKey(t)
	node := tailnet.NewNode(t)

	status := node.Start(t, lab.PrintPatch(t, key, "--login-server="+tailnet.Control.URL, "--hostname=node")).Joined(t)

	pod := lab.NewPod(t, node.Namespace)
	lab.MasqueradePods(t, node.Namespace)

	lab.Eventually(t, 30*time.Second, "the name of the node resolves", func() error {
		code, addresses, err := pod.Resolve("node.tailnet.example.")
		if err != nil {
			return err
		}

		if code != dnsmessage.RCodeSuccess || len(addresses) != 1 || addresses[0] != status.TailscaleIPs[0] {
			return fmt.Errorf("%v %v, want %v", code, addresses, status.TailscaleIPs[0])
		}

		return nil
	})

	code, _, err := pod.Resolve("example.com.")
	if err != nil {
		t.Fatal(err)
	}

	if code != dnsmessage.RCodeServerFailure {
		t.Errorf("a name outside of the tailnet is answered with %v", code)
	}
}
