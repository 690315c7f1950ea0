package tailnet

import (
	"slices"
	"strings"
	"testing"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

func TestMountedKeyIsSeenNowhere(t *testing.T) {
	tailnet := lab.NewTailnet(t)
	node := tailnet.NewNode(t)
	key := tailnet.Control.SingleUseKey(t)

	document := lab.PrintPatch(t, key, append(node.Flags(),
		"--login-server="+tailnet.Control.URL, "--auth-key-mount="+node.MountPath("auth-key"))...)

	watch := lab.WatchFor(key)
	service := node.Start(t, document)
	service.Joined(t)

	if seen := watch.Stop(); len(seen) > 0 {
		t.Errorf("the key was seen in %v", seen)
	}

	if strings.Contains(service.Log(), key) {
		t.Error("the key is in the log")
	}
}

// Without a key file it is in the open. The test shows, too, that the one above
// would see it.
func TestPlainKeyIsSeenInArguments(t *testing.T) {
	tailnet := lab.NewTailnet(t)
	node := tailnet.NewNode(t)
	key := tailnet.Control.SingleUseKey(t)

	document := lab.PrintPatch(t, key, append(node.Flags(), "--login-server="+tailnet.Control.URL)...)

	watch := lab.WatchFor(key)
	node.Start(t, document).Joined(t)
	seen := watch.Stop()

	for _, where := range []string{"tailscale arguments", "containerboot environment", "tailscaled environment"} {
		if !slices.Contains(seen, where) {
			t.Errorf("the key was not seen in %s, only in %v", where, seen)
		}
	}
}
