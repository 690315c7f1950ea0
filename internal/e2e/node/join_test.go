package node

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

// addresses is the spec of a NodeIP.
type addresses struct {
	Addresses []string `json:"addresses"`
}

func (a addresses) String() string { return strings.Join(a.Addresses, ",") }

type arguments struct {
	Args []string `json:"args"`
}

func (a arguments) nodeIP() string {
	for _, argument := range a.Args {
		if ip, is := strings.CutPrefix(argument, "--node-ip="); is {
			return ip
		}
	}

	return ""
}

// What the patch is for, on a control plane: it joins as asked, Kubernetes knows it by its LAN address, and etcd
// advertises that one.
func TestControlPlane(t *testing.T) {
	t.Parallel()

	c := newCluster(t)
	key := c.Control.ReusableKey(t)
	flags := []string{"--advertise-tags=tag:k8s", "--advertise-routes=10.55.0.0/16", "--etcd-subnet=" + lab.LANPrefix}
	n := c.controlPlane(t, key, flags...)
	address := n.joined(t)

	c.Control.Knows(t, lab.Device{
		Name: "lab-cp-1", Tags: []string{"tag:k8s"}, AvailableRoutes: []string{"10.55.0.0/16"}, ApprovedRoutes: []string{"10.55.0.0/16"}, Online: true,
	})

	becomes(t, c, n, "nodeips", "kubelet", n.LANAddress, addresses.String)
	becomes(t, c, n, "kubeletspecs", "kubelet", n.LANAddress, arguments.nodeIP)
	becomes(t, c, n, "etcdspecs", "etcd", n.LANAddress, func(spec struct {
		Addresses []string `json:"advertisedAddresses"`
	}) string {
		return strings.Join(spec.Addresses, ",")
	})

	t.Run("the node IP follows the patch", func(t *testing.T) {
		// The document of the extension does not change, so nothing restarts meanwhile.
		flags := append(flags, "--role=controlplane", "--hostname=lab-cp-1")
		config := c.config(t, "controlplane", c.patch(t, key, flags...))
		without := c.config(t, "controlplane", c.patch(t, key, append(flags, "--no-node-ip")...))

		c.apply(t, n, without)
		becomes(t, c, n, "nodeips", "kubelet", address.String(), addresses.String)
		becomes(t, c, n, "kubeletspecs", "kubelet", address.String(), arguments.nodeIP)

		c.apply(t, n, config)
		becomes(t, c, n, "nodeips", "kubelet", n.LANAddress, addresses.String)
		becomes(t, c, n, "kubeletspecs", "kubelet", n.LANAddress, arguments.nodeIP)
	})

	t.Run("a restart of the service keeps the address", func(t *testing.T) {
		before := n.serving(t)

		if _, err := c.talosctl("service", "ext-tailscale", "restart"); err != nil {
			t.Fatal(err)
		}

		n.restarted(t, before)

		if after := n.joined(t); after != address {
			t.Errorf("the address was %s and is %s", address, after)
		}
	})

	t.Run("a changed document is followed, an unchanged one restarts nothing", func(t *testing.T) {
		before := n.serving(t)

		config := c.config(t, "controlplane", c.patch(t, key, "--role=controlplane", "--hostname=lab-cp-2"))
		c.apply(t, n, config)

		if environment := n.restarted(t, before); !slices.Contains(environment, "TS_HOSTNAME=lab-cp-2") {
			t.Error("the service has not got the new hostname")
		}

		n.joined(t)

		after := n.serving(t)

		c.apply(t, n, config)
		time.Sleep(3 * time.Second)

		if pid, _, err := n.containerboot(); err != nil || pid != after {
			t.Errorf("the service was process %d and is %d: %v", after, pid, err)
		}
	})

	t.Run("a reboot keeps the address", func(t *testing.T) {
		n.off(t)
		n.on(t, nil)
		c.answers(t, n)

		if after := n.joined(t); after != address {
			t.Errorf("the address was %s and is %s", address, after)
		}

		becomes(t, c, n, "nodeips", "kubelet", n.LANAddress, addresses.String)
	})
}
