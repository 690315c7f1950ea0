package nodeip_test

import (
	"fmt"

	"github.com/siderolabs/talos/pkg/machinery/config"

	"github.com/talos-tsbridge/talos-tsbridge/nodeip"
)

// validSubnets makes the patch that keeps the kubelet in its LAN, for machine configs of a contract.
func validSubnets(contract *config.VersionContract, subnets ...string) ([]byte, error) {
	list, err := nodeip.Parse(subnets...)
	if err != nil {
		return nil, err
	}

	return list.Bytes(contract) // list.Document(contract) is the same, typed
}

// The smallest use: validSubnets of the kubelet alone. The tailnet is excluded wherever a subnet contains it.
func ExampleSubnets_Bytes() {
	text, err := validSubnets(config.TalosVersion1_14, "0.0.0.0/0")
	fmt.Print(string(text), err)
	// Output:
	// apiVersion: v1alpha1
	// kind: KubeNodeConfig
	// nodeIP:
	//     validSubnets:
	//         - 0.0.0.0/0
	//         - '!100.64.0.0/10'
	// <nil>
}
