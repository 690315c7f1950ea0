package patch

import (
	"fmt"
	"slices"

	"github.com/siderolabs/talos/pkg/machinery/config/types/k8s"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime/extensions"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
)

// applyService puts the document of the tailscale service in the place of an earlier one.
func (p *Patch) applyService(m *merging) error {
	if p.additionsOnly {
		return nil
	}

	ours := p.service.document(m.redacted)

	earlier, err := findDocument[*extensions.ServiceConfigV1Alpha1](m, extensions.ServiceConfigKind, ServiceName)
	if err != nil {
		return err
	}

	if earlier != nil {
		return m.setService(earlier, ours)
	}

	return m.add(ours)
}

// setService changes the document of the service. Where there are no config files any more, their field goes.
func (m *merging) setService(earlier, ours *extensions.ServiceConfigV1Alpha1) error {
	d := m.find(extensions.ServiceConfigKind, ServiceName)

	if len(ours.ServiceConfigFiles) == 0 {
		m.edit.Remove(d, "configFiles")
	} else if !slices.Equal(earlier.ServiceConfigFiles, ours.ServiceConfigFiles) {
		m.edit.Set(d, ours.ServiceConfigFiles, "configFiles")
	}

	if !slices.Equal(earlier.ServiceEnvironment, ours.ServiceEnvironment) {
		m.edit.Set(d, ours.ServiceEnvironment, "environment")
	}

	return nil
}

func (p *Patch) applyNodeIP(m *merging) error {
	switch {
	case p.subnets.nodeIP != nil:
		d, path := m.nodeIPList()
		m.edit.Set(d, p.subnets.nodeIP, path...)

		return nil
	case p.subnets.removeNodeIP:
		d, path := m.nodeIPList()
		m.edit.Remove(d, path...)

		return nil
	case p.nodeIP.IsEmpty():
		return nil
	case !contract.KubeNodeConfig(p.contract):
		if m.find(k8s.KubeNodeConfig, "") != nil {
			return contractFault("it is of contract v1.14 or newer, and the patch is for %s: leave the talos version out", p.contract)
		}

		return m.setLegacy(p.nodeIP.Strings(), "machine", "kubelet", "nodeIP", "validSubnets")
	case !m.config.has(kubernetesKinds):
		return contractFault("it is of a contract before v1.14, and the patch is for %s: leave the talos version out", p.contract)
	}

	if node := m.find(k8s.KubeNodeConfig, ""); node != nil {
		m.edit.Set(node, p.nodeIP.Strings(), "nodeIP", "validSubnets")

		return nil
	}

	document, err := p.nodeIP.Document(p.contract)
	if err != nil {
		return err
	}

	return m.add(document)
}

func contractFault(format string, args ...any) error {
	return &ConfigError{Code: ConfigContract, Reason: fmt.Sprintf(format, args...)}
}

// nodeIPList returns where the config has the subnets of the node IP.
func (m *merging) nodeIPList() (d *machineconfig.Document, path []any) {
	if node := m.find(k8s.KubeNodeConfig, ""); node != nil {
		return node, []any{"nodeIP", "validSubnets"}
	}

	return m.find(machineconfig.Legacy, ""), []any{"machine", "kubelet", "nodeIP", "validSubnets"}
}

func (p *Patch) applyEtcd(m *merging) error {
	if p.subnets.removeEtcd {
		m.edit.Remove(m.find(machineconfig.Legacy, ""), "cluster", "etcd", "advertisedSubnets")
	}

	if p.etcd.IsEmpty() {
		return nil
	}

	return m.setLegacy(p.etcd.Strings(), "cluster", "etcd", "advertisedSubnets")
}
