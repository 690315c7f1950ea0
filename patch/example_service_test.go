package patch_test

import (
	"fmt"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// service makes the ExtensionServiceConfig of a node, and nothing else.
func service(hostname string) ([]byte, error) {
	p, err := patch.New(patch.WithHostname(hostname), patch.WithAdvertiseTags("tag:k8s"), patch.WithoutNodeIP())
	if err != nil {
		return nil, err // every fault, a line each
	}

	return p.Bytes()
}

// The smallest use: an ExtensionServiceConfig from options. The key is missing here, for a node that has joined.
func Example_service() {
	text, err := service("lab-1")
	fmt.Print(string(text), err)
	// Output:
	// apiVersion: v1alpha1
	// kind: ExtensionServiceConfig
	// name: tailscale
	// environment:
	//     - TS_AUTH_ONCE=true
	//     - TS_STATE_DIR=/var/lib/tailscale
	//     - TS_HOSTNAME=lab-1
	//     - TS_ACCEPT_DNS=false
	//     - TS_EXTRA_ARGS=--advertise-tags=tag:k8s --accept-routes=false
	// <nil>
}
