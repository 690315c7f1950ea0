package patch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config/types/k8s"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime/extensions"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
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
		if err := p.keep(ours, earlier); err != nil {
			return err
		}

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

// keep adds to our document what an earlier one has beside it: the user's own variables and config files. The file that
// held an earlier key is not kept, and neither is any other way to give one.
func (p *Patch) keep(ours, earlier *extensions.ServiceConfigV1Alpha1) error {
	names := map[string]bool{authkey.EnvAuthKey: true, "TS_AUTH_KEY": true}
	for _, variable := range ours.ServiceEnvironment {
		names[nameOf(variable)] = true
	}

	keyFiles := map[string]bool{}

	var kept []variable

	for _, assignment := range slices.Backward(earlier.ServiceEnvironment) {
		name, value, _ := strings.Cut(assignment, "=")

		if file, ok := strings.CutPrefix(value, "file:"); ok && (name == authkey.EnvAuthKey || name == "TS_AUTH_KEY") {
			keyFiles[file] = true
		}

		// the last of a name is the one that counts
		if !names[name] {
			names[name] = true
			kept = append(kept, variable{name, value})
		}
	}

	slices.Reverse(kept)

	if wrong := p.service.checkBeside(kept); len(wrong) > 0 {
		return fmt.Errorf("the machine config has variables of its own for the service %s: %s", ServiceName, strings.ReplaceAll(wrong.Error(), "\n", "; "))
	}

	for _, v := range kept {
		ours.ServiceEnvironment = append(ours.ServiceEnvironment, v.String())
	}

	for _, file := range earlier.ServiceConfigFiles {
		mount := file.ConfigFileMountPath
		if mount != p.service.keyMount && !keyFiles[mount] {
			ours.ServiceConfigFiles = append(ours.ServiceConfigFiles, file)
		}
	}

	return nil
}

func nameOf(assignment string) string {
	name, _, _ := strings.Cut(assignment, "=")

	return name
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
