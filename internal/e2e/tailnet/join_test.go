package tailnet

import (
	"net/netip"
	"slices"
	"testing"
)

// A node joins as it was asked to, and takes nothing from the tailnet that it
// was not told to take.
func TestNodeJoinsAsAsked(t *testing.T) {
	tailnet := newTailnet(t)
	node := tailnet.newNode(t)

	service := node.start(t, printPatch(t, tailnet.control.singleUseKey(t), append(node.flags(),
		"--login-server="+tailnet.control.url,
		"--hostname=talos-cp-1",
		"--advertise-tags=tag:k8s",
		"--advertise-routes=10.55.0.0/16",
	)...))

	status := service.joined(t)

	if status.Self.HostName != "talos-cp-1" {
		t.Errorf("hostname is %q", status.Self.HostName)
	}

	if status.TUN != (networking == kernel) {
		t.Errorf("kernel TUN is %t in %s mode", status.TUN, networking)
	}

	preferences := service.preferences(t)

	if !slices.Equal(preferences.AdvertiseTags, []string{"tag:k8s"}) {
		t.Errorf("advertised tags are %v", preferences.AdvertiseTags)
	}

	if !slices.Equal(preferences.AdvertiseRoutes, []netip.Prefix{netip.MustParsePrefix("10.55.0.0/16")}) {
		t.Errorf("advertised routes are %v", preferences.AdvertiseRoutes)
	}

	if preferences.RouteAll {
		t.Error("the node accepts routes")
	}

	if preferences.CorpDNS {
		t.Error("the node accepts DNS")
	}

	tailnet.control.knows(t, device{
		Name:            "talos-cp-1",
		Tags:            []string{"tag:k8s"},
		AvailableRoutes: []string{"10.55.0.0/16"},
		ApprovedRoutes:  []string{"10.55.0.0/16"},
		Online:          true,
	})
}
