package tailnet

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Talos starts the extension again at each boot, long after a single-use key
// was used. By default that must not matter.
func TestRestartOutlivesUsedKey(t *testing.T) {
	tailnet := newTailnet(t)
	node := tailnet.newNode(t)

	document := printPatch(t, tailnet.control.singleUseKey(t),
		append(node.flags(), "--login-server="+tailnet.control.url, "--hostname=talos-1")...)

	first := node.start(t, document)
	before := first.joined(t)
	first.stop()

	after := node.start(t, document).joined(t)

	if !slices.Equal(before.TailscaleIPs, after.TailscaleIPs) {
		t.Errorf("the address was %v and is %v", before.TailscaleIPs, after.TailscaleIPs)
	}

	if devices := tailnet.control.devices(t); len(devices) != 1 {
		t.Errorf("the control server has %d devices: %+v", len(devices), devices)
	}
}

// This is what the default protects from, and why turning it off is not a
// detail. Containerboot exits or, if the network map that tailscaled kept makes
// the node look up for a moment, stays without its control server. Either way
// the node is lost to the tailnet.
func TestRestartWithoutAuthOnceFailsOnUsedKey(t *testing.T) {
	tailnet := newTailnet(t)
	node := tailnet.newNode(t)

	document := printPatch(t, tailnet.control.singleUseKey(t),
		append(node.flags(), "--login-server="+tailnet.control.url, "--hostname=talos-1", "--auth-once=false")...)

	first := node.start(t, document)
	first.joined(t)
	tailnet.control.knows(t, device{Name: "talos-1", Online: true})
	first.stop()
	tailnet.control.knows(t, device{Name: "talos-1", Online: false})

	second := node.start(t, document)

	eventually(t, joinWithin, "the control server refuses the used key", func() error {
		if !strings.Contains(second.log(), "authkey already used") {
			return fmt.Errorf("containerboot says: %s", second.lastWords())
		}

		return nil
	})

	if second.endsWithin(5 * time.Second) {
		t.Log("containerboot exited")
	} else {
		t.Log("containerboot stays, without the control server")
	}

	tailnet.control.knows(t, device{Name: "talos-1", Online: false})
}

// A changed document restarts the service, and with auth-once a part of the
// change has no effect.
func TestRestartAppliesHostnameAndRoutesButNotTags(t *testing.T) {
	tailnet := newTailnet(t)
	node := tailnet.newNode(t)
	key := tailnet.control.singleUseKey(t)

	flags := func(changed ...string) []string {
		return slices.Concat(node.flags(), []string{"--login-server=" + tailnet.control.url}, changed)
	}

	first := node.start(t, printPatch(t, key,
		flags("--hostname=before", "--advertise-tags=tag:k8s", "--advertise-routes=10.55.0.0/16")...))
	first.joined(t)
	first.stop()

	second := node.start(t, printPatch(t, key,
		flags("--hostname=after", "--advertise-tags=tag:talos", "--advertise-routes=")...))
	second.joined(t)

	eventually(t, 10*time.Second, "hostname and routes change", func() error {
		preferences := second.preferences(t)

		if preferences.Hostname != "after" || len(preferences.AdvertiseRoutes) != 0 {
			return fmt.Errorf("hostname %q, routes %v", preferences.Hostname, preferences.AdvertiseRoutes)
		}

		return nil
	})

	if tags := second.preferences(t).AdvertiseTags; !slices.Equal(tags, []string{"tag:k8s"}) {
		t.Errorf("the tags became %v: with auth-once they now change, say so in the documentation", tags)
	}
}

// This is the way to change tags on a node that has joined: one start that logs
// in again on kept state, without a key.
func TestStartWithoutKeyAppliesTags(t *testing.T) {
	tailnet := newTailnet(t)
	node := tailnet.newNode(t)
	key := tailnet.control.singleUseKey(t)

	flags := func(changed ...string) []string {
		return slices.Concat(node.flags(), []string{"--login-server=" + tailnet.control.url, "--hostname=talos-1"}, changed)
	}

	first := node.start(t, printPatch(t, key, flags("--advertise-tags=tag:k8s")...))
	first.joined(t)
	first.stop()

	second := node.start(t, printPatch(t, key,
		flags("--advertise-tags=tag:talos", "--auth-key=none", "--auth-once=false")...))
	second.joined(t)

	tailnet.control.knows(t, device{Name: "talos-1", Tags: []string{"tag:talos"}, Online: true})
}
