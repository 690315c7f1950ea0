package patch

import (
	"fmt"
	"slices"

	"github.com/siderolabs/talos/pkg/machinery/config/types/k8s"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime/extensions"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
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

func (p *Patch) applyEtcd(m *merging) error {
	if p.etcd.IsEmpty() {
		return nil
	}

	return m.setLegacy(p.etcd.Strings(), "cluster", "etcd", "advertisedSubnets")
}
