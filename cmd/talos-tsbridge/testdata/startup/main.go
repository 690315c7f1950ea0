// Command startup prints the documents of a static patch with nothing but Talos's machinery: what the start of the real
// program is measured against.
package main

import (
	"fmt"
	"os"

	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/merge"
	"github.com/siderolabs/talos/pkg/machinery/config/types/k8s"
	_ "github.com/siderolabs/talos/pkg/machinery/config/types/network"
	_ "github.com/siderolabs/talos/pkg/machinery/config/types/runtime"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime/extensions"
)

var _ = merge.Merge

func main() {
	service := extensions.NewServicesConfigV1Alpha1()
	service.ServiceName = "tailscale"
	service.ServiceEnvironment = []string{
		"TS_AUTHKEY=" + os.Getenv("TS_AUTHKEY"), "TS_AUTH_ONCE=true", "TS_STATE_DIR=/var/lib/tailscale", "TS_ACCEPT_DNS=false",
		"TS_EXTRA_ARGS=--accept-routes=false",
	}

	node := k8s.NewKubeNodeConfigV1Alpha1()
	node.NodeIPConfig.NodeIPValidSubnets = []string{"0.0.0.0/0", "!100.64.0.0/10"}

	for _, document := range []any{service, node} {
		text, err := encoder.NewEncoder(document, encoder.WithComments(encoder.CommentsDisabled)).Encode()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}

		fmt.Println(string(text))
	}
}
