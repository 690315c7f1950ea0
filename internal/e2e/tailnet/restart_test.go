package tailnet

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

// Talos starts the extension again at each boot, long after a single-use key
// was used. By default that must not matter.
func TestRestartOutlivesUsedKey(t *testing.T) {
	tailnet := lab.NewTailnet(t)
	node := tailnet.NewNode(t)

	document := lab.PrintPatch(t, tailnet.Control.SingleUseKey(t),
		append(node.Flags(), "--login-server="+tailnet.Control.URL, "--hostname=talos-1")...)

	first := node.Start(t, document)
	before := first.Joined(t)
	first.Stop()

	after := node.Start(t, document).Joined(t)

	if !slices.Equal(before.TailscaleIPs, after.TailscaleIPs) {
		t.Errorf("the address was %v and is %v", before.TailscaleIPs, after.TailscaleIPs)
	}

	if devices := tailnet.Control.Devices(t); len(devices) != 1 {
		t.Errorf("the control server has %d devices: %+v", len(devices), devices)
	}
}

// This is what the default protects from, and why turning it off is not a
// detail. Containerboot exits or, if the network map that tailscaled kept makes
// the node look up for a moment, stays without its control server. Either way
// the node is lost to the tailnet.
func TestRestartWithoutAuthOnceFailsOnUsedKey(t *testing.T) {
	tailnet := lab.NewTailnet(t)
	node := tailnet.NewNode(t)

	document := lab.PrintPatch(t, tailnet.Control.SingleUseKey(t),
		append(node.Flags(), "--login-server="+tailnet.Control.URL, "--hostname=talos-1", "--auth-once=false")...)

	first := node.Start(t, document)
	first.Joined(t)
	tailnet.Control.Knows(t, lab.Device{Name: "talos-1", Online: true})
	first.Stop()
	tailnet.Control.Knows(t, lab.Device{Name: "talos-1", Online: false})

	second := node.Start(t, document)

	lab.Eventually(t, lab.JoinWithin, "the control server refuses the used key", func() error {
		if !strings.Contains(second.Log(), "authkey already used") {
			return fmt.Errorf("containerboot says: %s", second.LastWords())
		}

		return nil
	})

	if second.EndsWithin(5 * time.Second) {
		t.Log("containerboot exited")
	} else {
		t.Log("containerboot stays, without the control server")
	}

	tailnet.Control.Knows(t, lab.Device{Name: "talos-1", Online: false})
}

// A changed document restarts the service, and with auth-once a part of the
// change has no effect.
func TestRestartAppliesHostnameAndRoutesButNotTags(t *testing.T) {
	tailnet := lab.NewTailnet(t)
	node := tailnet.NewNode(t)
	key := tailnet.Control.SingleUseKey(t)

	flags := func(changed ...string) []string {
		return slices.Concat(node.Flags(), []string{"--login-server=" + tailnet.Control.URL}, changed)
	}

	first := node.Start(t, lab.PrintPatch(t, key,
		flags("--hostname=before", "--advertise-tags=tag:k8s", "--advertise-routes=10.55.0.0/16")...))
	first.Joined(t)
	first.Stop()

	second := node.Start(t, lab.PrintPatch(t, key,
		flags("--hostname=after", "--advertise-tags=tag:talos", "--advertise-routes=")...))
	second.Joined(t)

	lab.Eventually(t, 10*time.Second, "hostname and routes change", func() error {
		preferences := second.Preferences(t)

		if preferences.Hostname != "after" || len(preferences.AdvertiseRoutes) != 0 {
			return fmt.Errorf("hostname %q, routes %v", preferences.Hostname, preferences.AdvertiseRoutes)
		}

		return nil
	})

	if tags := second.Preferences(t).AdvertiseTags; !slices.Equal(tags, []string{"tag:k8s"}) {
		t.Errorf("the tags became %v: with auth-once they now change, say so in the documentation", tags)
	}
}

// This is the way to change tags on a node that has joined: one start that logs
// in again on kept state, without a key.
func TestStartWithoutKeyAppliesTags(t *testing.T) {
	tailnet := lab.NewTailnet(t)
	node := tailnet.NewNode(t)
	key := tailnet.Control.SingleUseKey(t)

	flags := func(changed ...string) []string {
		return slices.Concat(node.Flags(), []string{"--login-server=" + tailnet.Control.URL, "--hostname=talos-1"}, changed)
	}

	first := node.Start(t, lab.PrintPatch(t, key, flags("--advertise-tags=tag:k8s")...))
	first.Joined(t)
	first.Stop()

	second := node.Start(t, lab.PrintPatch(t, key,
		flags("--advertise-tags=tag:talos", "--auth-key=none", "--auth-once=false")...))
	second.Joined(t)

	tailnet.Control.Knows(t, lab.Device{Name: "talos-1", Tags: []string{"tag:talos"}, Online: true})
}
