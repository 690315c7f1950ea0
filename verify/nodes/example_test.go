package nodes_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

// Nodes are asked through the Talos API, as talosctl does it.
func Example() {
	ctx := context.Background()

	talos, err := nodes.Connect(ctx, nodes.Connection{Talosconfig: "missing/talosconfig", Nodes: []string{"192.168.1.10"}})
	if err != nil {
		fmt.Println(err)

		return
	}

	defer func() { _ = talos.Close() }()

	inspector := &nodes.Inspector{Client: talos.Client}
	for _, finding := range nodes.Diagnose(inspector.Inspect(ctx, talos.Nodes), nil) {
		fmt.Println(finding)
	}
	// Output:
	// talosconfig: open missing/talosconfig: no such file or directory
}

// A node that Kubernetes knows by its tailnet address.
func ExampleDiagnose() {
	tailnet := []netip.Addr{netip.MustParseAddr("100.82.13.10")}

	findings := nodes.Diagnose([]nodes.Node{{
		Address: "172.16.0.10", Extension: "1.102.5", Configured: true, Service: &nodes.Service{State: "Running"},
		TailnetAddresses: tailnet, NodeIPs: tailnet, NodeIPSubnets: []string{"0.0.0.0/0"},
	}}, nil)

	fmt.Println(findings[0].Code)
	fmt.Println(findings[0].Next[0])
	// Output:
	// node-ip-tailnet
	// narrow the node IP with the patch that talos-tsbridge prints (validSubnets)
}
