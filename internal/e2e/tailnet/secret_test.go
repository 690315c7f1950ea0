package tailnet

import (
	"slices"
	"strings"
	"testing"
)

func TestMountedKeyIsSeenNowhere(t *testing.T) {
	tailnet := newTailnet(t)
	node := tailnet.newNode(t)
	key := tailnet.control.singleUseKey(t)

	document := printPatch(t, key, append(node.flags(),
		"--login-server="+tailnet.control.url, "--auth-key-mount="+node.mountPath("auth-key"))...)

	watch := watchFor(key)
	service := node.start(t, document)
	service.joined(t)

	if seen := watch.stop(); len(seen) > 0 {
		t.Errorf("the key was seen in %v", seen)
	}

	if strings.Contains(service.log(), key) {
		t.Error("the key is in the log")
	}
}

// Without a key file it is in the open. The test shows, too, that the one above
// would see it.
func TestPlainKeyIsSeenInArguments(t *testing.T) {
	tailnet := newTailnet(t)
	node := tailnet.newNode(t)
	key := tailnet.control.singleUseKey(t)

	document := printPatch(t, key, append(node.flags(), "--login-server="+tailnet.control.url)...)

	watch := watchFor(key)
	node.start(t, document).joined(t)
	seen := watch.stop()

	for _, where := range []string{"tailscale arguments", "containerboot environment", "tailscaled environment"} {
		if !slices.Contains(seen, where) {
			t.Errorf("the key was not seen in %s, only in %v", where, seen)
		}
	}
}
