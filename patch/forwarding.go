package patch

import (
	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
)

// forwardingSysctl is the kernel parameter without which containerboot exits when there is an IPv6 route to advertise. Talos
// sets the one of IPv4 itself, and of IPv6 only the default of new interfaces.
const forwardingSysctl = "net.ipv6.conf.all.forwarding"

func forwardingSysctls() map[string]string { return map[string]string{forwardingSysctl: "1"} }

func forwardingDocuments(version *coreconfig.VersionContract, forward bool) []config.Document {
	if !forward || !contract.SysctlConfig(version) {
		return nil
	}

	document := runtime.NewSysctlConfigV1Alpha1()
	document.Params = forwardingSysctls()

	return []config.Document{document}
}

func forwardingFragment(version *coreconfig.VersionContract, forward bool) *v1alpha1.MachineConfig {
	if !forward || contract.SysctlConfig(version) {
		return nil
	}

	return &v1alpha1.MachineConfig{MachineSysctls: forwardingSysctls()}
}
