package patch

import (
	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
)

// forwardingSysctl is the kernel parameter without which containerboot exits when there is an IPv6 route to advertise. Talos
// sets the one of IPv4 itself, and of IPv6 only the default of new interfaces.
const forwardingSysctl = "net.ipv6.conf.all.forwarding"

// forwarding lets the node forward IPv6 packets, where what the service advertises needs it.
type forwarding struct{}

var _ feature = forwarding{}

func newForwarding(d *draft) feature {
	if !d.service.forwardIPv6 {
		return nil
	}

	return forwarding{}
}

func (forwarding) sysctls() map[string]string { return map[string]string{forwardingSysctl: "1"} }

func (f forwarding) document() *runtime.SysctlConfigV1Alpha1 {
	document := runtime.NewSysctlConfigV1Alpha1()
	document.Params = f.sysctls()

	return document
}

func (f forwarding) documents(version *coreconfig.VersionContract, _ bool) []config.Document {
	if contract.SysctlConfig(version) {
		return []config.Document{f.document()}
	}

	return machineFragment(&v1alpha1.MachineConfig{MachineSysctls: f.sysctls()})
}

// deletions are none: an entry replaces an earlier one anyway.
func (forwarding) deletions() []string { return nil }

func (forwarding) owned() []machineconfig.Field {
	return []machineconfig.Field{
		documentField(runtime.SysctlConfigKind, "params", forwardingSysctl),
		legacyField("machine", "sysctls", forwardingSysctl),
	}
}

// forwardsIPv6 reports whether the config has it, in whichever form. It is for a nil config too.
func (c *Config) forwardsIPv6() bool {
	return c != nil && c.loaded.provider.SysctlConfig()[forwardingSysctl] == "1"
}

func (f forwarding) apply(m *merging) error {
	if m.config.forwardsIPv6() {
		return nil
	}

	if contract.SysctlConfig(m.contract) {
		return setField(m, f.document(), func(c *runtime.SysctlConfigV1Alpha1) any { return c.Params[forwardingSysctl] }, "params", forwardingSysctl)
	}

	d, machine := m.legacy()
	m.set(d, machine.MachineSysctls[forwardingSysctl], f.sysctls()[forwardingSysctl], "machine", "sysctls", forwardingSysctl)

	return nil
}
