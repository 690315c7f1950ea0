package patch

import (
	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/network"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/talos-tsbridge/talos-tsbridge/internal/cidr"
	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

// kubeSpanEndpoints lets every address be an endpoint but those of the tailnet. As in the list of the node IP, what is
// excluded comes last.
func kubeSpanEndpoints() []string {
	return []string{cidr.AllIPv4.String(), cidr.AllIPv6.String(), "!" + tailaddr.IPv4().String(), "!" + tailaddr.IPv6().String()}
}

func kubeSpanDocuments(version *coreconfig.VersionContract, filter bool) []config.Document {
	if !filter || !contract.KubeSpanConfig(version) {
		return nil
	}

	document := network.NewKubeSpanV1Alpha1()
	document.ConfigFilters = &network.KubeSpanFiltersConfig{ConfigEndpoints: kubeSpanEndpoints()}

	return []config.Document{document}
}

func kubeSpanFragment(version *coreconfig.VersionContract, filter bool) *v1alpha1.MachineConfig {
	if !filter || contract.KubeSpanConfig(version) {
		return nil
	}

	return &v1alpha1.MachineConfig{MachineNetwork: &v1alpha1.NetworkConfig{
		NetworkKubeSpan: &v1alpha1.NetworkKubeSpan{
			KubeSpanFilters: &v1alpha1.KubeSpanFilters{KubeSpanFiltersEndpoints: kubeSpanEndpoints()},
		},
	}}
}
