package tailnet

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

// A node joins as it was asked to, and takes nothing from the tailnet that it
// was not told to take.
func TestNodeJoinsAsAsked(t *testing.T) {
	tailnet := lab.NewTailnet(t)
	node := tailnet.NewNode(t)

	service := node.Start(t, lab.PrintPatch(t, tailnet.Control.SingleUseKey(t), append(node.Flags(),
		"--login-server="+tailnet.Control.URL,
		"--hostname=talos-cp-1",
		"--advertise-tags=tag:k8s",
		"--advertise-routes=10.55.0.0/16",
	)...))

	status := service.Joined(t)

	if status.Self.HostName != "talos-cp-1" {
		t.Errorf("hostname is %q", status.Self.HostName)
	}

	if status.TUN != (lab.Networking == lab.Kernel) {
		t.Errorf("kernel TUN is %t in %s mode", status.TUN, lab.Networking)
	}

	preferences := service.Preferences(t)

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

	tailnet.Control.Knows(t, lab.Device{
		Name:            "talos-cp-1",
		Tags:            []string{"tag:k8s"},
		AvailableRoutes: []string{"10.55.0.0/16"},
		ApprovedRoutes:  []string{"10.55.0.0/16"},
		Online:          true,
	})
}
