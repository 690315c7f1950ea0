package patch

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/siderolabs/talos/pkg/machinery/config/types/k8s"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime/extensions"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
	"github.com/siderolabs/talos/pkg/machinery/config/validation"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
)

// Apply returns a machine config with the patch in place. Unlike Talos's own patching, which appends lists, it replaces
// what an earlier patch set, so that applying it again changes nothing.
//
//   - The environment of the tailscale service becomes that of the patch, and with it an earlier auth key goes. Variables
//     that the patch does not set are kept after it, and so are config files at other paths.
//   - Of KubeNodeConfig, or machine.kubelet, only the node IP changes; of cluster.etcd only the advertised subnets.
//   - Nameservers, the filter of KubeSpan and the image are replaced; certificate names and static hosts join those that
//     are there. Firewall rules are refused for a config that does not block by default.
//   - Everything else keeps its bytes: documents that are not ours, also of kinds that this version does not know, line
//     ends, a byte order mark. A document that a field changes in keeps its comments, but may be indented anew.
//
// It fails where Talos would refuse the result, for what is no machine config, and where the patch is for another role.
// Its error is one line and repeats nothing of the config.
func (p *Patch) Apply(config []byte) ([]byte, error) { return p.apply(config, false) }

// ApplyRedacted is [Patch.Apply] with [authkey.Redacted] in place of the auth key, to be shown or compared. The other
// secrets of the config stay in it.
func (p *Patch) ApplyRedacted(config []byte) ([]byte, error) { return p.apply(config, true) }

func (p *Patch) apply(config []byte, redacted bool) ([]byte, error) {
	if p.options == nil {
		return nil, errZero
	}

	s, err := readStream(config)
	if err != nil {
		return nil, err
	}

	role, err := s.role()

	switch {
	case err != nil:
		return nil, err
	case p.role != machine.TypeUnknown && p.role.IsControlPlane() != role.IsControlPlane():
		return nil, fmt.Errorf("the patch is for the role %s, and the machine config is of a %s", p.role, role)
	}

	for _, step := range []func(*stream, bool) error{p.applyService, p.applyNodeIP, p.applyEtcd, p.applyNode} {
		if err := step(s, redacted); err != nil {
			return nil, err
		}
	}

	text := s.bytes()

	return text, checkApplied(text)
}

// applyService puts the document of the tailscale service in the place of an earlier one.
func (p *Patch) applyService(s *stream, redacted bool) error {
	if p.additionsOnly {
		return nil
	}

	ours := p.service.document(redacted)

	earlier, err := findDocument[*extensions.ServiceConfigV1Alpha1](s, extensions.ServiceConfigKind, ServiceName)
	if err != nil {
		return err
	}

	if earlier != nil {
		if err := p.keep(ours, earlier); err != nil {
			return err
		}

		if slices.Equal(earlier.ServiceEnvironment, ours.ServiceEnvironment) && slices.Equal(earlier.ServiceConfigFiles, ours.ServiceConfigFiles) {
			return nil
		}
	}

	text, err := encode("", []config.Document{ours})
	if err != nil {
		return err
	}

	if section := s.find(extensions.ServiceConfigKind, ServiceName); section != nil {
		section.replace(text)
	} else {
		s.add(text)
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
		return fmt.Errorf("the machine config has variables of its own for the service %s: %s", ServiceName, tidy(wrong))
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

func (p *Patch) applyNodeIP(s *stream, _ bool) error {
	subnets := p.nodeIP.Strings()

	switch {
	case p.nodeIP.IsEmpty():
		return nil
	case !contract.KubeNodeConfig(p.contract):
		if s.find(k8s.KubeNodeConfig, "") != nil {
			return fmt.Errorf("the machine config is of contract v1.14 or newer, and the patch is for %s: leave the talos version out", p.contract)
		}

		if kubelet := s.provider.RawV1Alpha1().MachineConfig.MachineKubelet; kubelet != nil && kubelet.KubeletNodeIP != nil &&
			slices.Equal(kubelet.KubeletNodeIP.KubeletNodeIPValidSubnets, subnets) {
			return nil
		}

		return s.set(v1alpha1.Version, "", subnets, "machine", "kubelet", "nodeIP", "validSubnets")
	}

	node, err := findDocument[*k8s.KubeNodeConfigV1Alpha1](s, k8s.KubeNodeConfig, "")

	switch {
	case err != nil:
		return err
	case !s.has(kubernetesKinds):
		return fmt.Errorf("the machine config is of a contract before v1.14, and the patch is for %s: leave the talos version out", p.contract)
	case node != nil && slices.Equal(node.NodeIPConfig.NodeIPValidSubnets, subnets):
		return nil
	case node != nil:
		return s.set(k8s.KubeNodeConfig, "", subnets, "nodeIP", "validSubnets")
	}

	document, err := p.nodeIP.Document(p.contract)
	if err != nil {
		return err
	}

	text, err := encode("", []config.Document{document})
	if err == nil {
		s.add(text)
	}

	return err
}

func (p *Patch) applyEtcd(s *stream, _ bool) error {
	if p.etcd.IsEmpty() {
		return nil
	}

	if cluster := s.provider.RawV1Alpha1().ClusterConfig; cluster != nil && cluster.EtcdConfig != nil &&
		slices.Equal(cluster.EtcdConfig.EtcdAdvertisedSubnets, p.etcd.Strings()) {
		return nil
	}

	return s.set(v1alpha1.Version, "", p.etcd.Strings(), "cluster", "etcd", "advertisedSubnets")
}

// findDocument returns the typed form of a document that can be changed, or nil.
func findDocument[T config.Document](s *stream, kind, name string) (found T, err error) {
	if s.find(kind, name) == nil {
		return found, nil
	}

	for _, document := range s.provider.Documents() {
		typed, ok := document.(T)
		if !ok {
			continue
		}

		if named, isNamed := document.(config.NamedDocument); !isNamed || named.Name() == name {
			return typed, nil
		}
	}

	return found, fmt.Errorf("the %s document of the machine config cannot be read", kind)
}

// set sets a field of a document.
func (s *stream) set(kind, name string, value any, path ...string) error {
	section := s.find(kind, name)
	if section == nil {
		return fmt.Errorf("the machine config has no document %s to change", kind)
	}

	if err := setPath(section.node, value, path...); err != nil {
		return fmt.Errorf("the machine config: %s: %w", strings.Join(path, "."), err)
	}

	text, err := encodeNode(section.node)
	if err != nil {
		return err
	}

	section.replace(text)

	return nil
}

// anyNode is the mode of validation for every sort of machine: what only some need, an install disk for one, is not
// ours to ask for.
type anyNode struct{}

func (anyNode) String() string        { return "any" }
func (anyNode) RequiresInstall() bool { return false }
func (anyNode) InContainer() bool     { return false }

var _ validation.RuntimeMode = anyNode{}

// checkApplied refuses a result that Talos would refuse.
func checkApplied(text []byte) error {
	s, err := readStream(text)
	if err != nil {
		return err
	}

	if _, err := s.provider.ValidateAsClient(anyNode{}); err != nil {
		return errors.New("talos would refuse the machine config: " + tidy(err))
	}

	return nil
}
