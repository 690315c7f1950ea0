package patch

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/network"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
)

// applyNode puts what a node of a tailnet needs besides into the config. What is a choice, such as the nameservers, is
// replaced; names of certificates join those that are there.
func (p *Patch) applyNode(m *merging) error {
	if (p.node.firewallPort != 0 || p.node.kubernetesRule) && !m.config.blocksByDefault() {
		return errors.New(noDefaultBlock("the API of the node"))
	}

	if err := p.applyStaticHosts(m); err != nil {
		return err
	}

	if err := p.applyInstallImage(m); err != nil {
		return err
	}

	// they are in their place now
	rest := p.node
	rest.hosts, rest.installImage, rest.apiServerSANs = nil, "", nil

	// where the config has the older form, the newer one beside it would be refused
	if rest.nameservers != nil && m.config.hasLegacyNameservers() {
		if err := m.setMachine(nameserverFragment(contract.Oldest, rest.nameservers)); err != nil {
			return err
		}

		rest.nameservers = nil
	}

	if rest.kubeSpanFilter && m.config.hasLegacyKubeSpan() {
		if err := m.setMachine(kubeSpanFragment(contract.Oldest, true)); err != nil {
			return err
		}

		rest.kubeSpanFilter = false
	}

	for _, fragment := range rest.fragments(p.contract) {
		if err := m.setMachine(fragment.MachineConfig); err != nil {
			return err
		}
	}

	for _, document := range rest.documents(p.contract) {
		if err := m.put(document); err != nil {
			return err
		}
	}

	return nil
}

// setMachine sets the fields of the v1alpha1 config that a fragment has.
func (m *merging) setMachine(ours *v1alpha1.MachineConfig) error {
	theirs := m.config.loaded.provider.RawV1Alpha1().MachineConfig
	set := func(earlier, value any, path ...any) error {
		if reflect.DeepEqual(earlier, value) {
			return nil
		}

		return m.setLegacy(value, append([]any{"machine"}, path...)...)
	}

	var faults []error

	if ours.MachineCertSANs != nil {
		faults = append(faults, set(theirs.MachineCertSANs, union(theirs.MachineCertSANs, ours.MachineCertSANs), "certSANs"))
	}

	for name, value := range ours.MachineSysctls {
		faults = append(faults, set(theirs.MachineSysctls[name], value, "sysctls", name))
	}

	if ours.MachineNetwork != nil {
		earlier := theirs.MachineNetwork
		if earlier == nil {
			earlier = &v1alpha1.NetworkConfig{}
		}

		faults = append(faults, setNetwork(set, earlier, ours.MachineNetwork))
	}

	return errors.Join(faults...)
}

func setNetwork(set func(earlier, value any, path ...any) error, theirs, ours *v1alpha1.NetworkConfig) error {
	var faults []error

	if ours.NameServers != nil {
		faults = append(faults, set(theirs.NameServers, ours.NameServers, "network", "nameservers"))
	}

	if ours.NetworkKubeSpan != nil {
		var earlier []string
		if theirs.NetworkKubeSpan != nil && theirs.NetworkKubeSpan.KubeSpanFilters != nil {
			earlier = theirs.NetworkKubeSpan.KubeSpanFilters.KubeSpanFiltersEndpoints
		}

		faults = append(faults, set(earlier, ours.NetworkKubeSpan.KubeSpanFilters.KubeSpanFiltersEndpoints, "network", "kubespan", "filters", "endpoints"))
	}

	return errors.Join(faults...)
}

// union returns the texts of both lists, each once, those of the first as they are.
func union(theirs, ours []string) []string {
	joined := slices.Clone(theirs)

	for _, text := range ours {
		if !slices.Contains(joined, text) {
			joined = append(joined, text)
		}
	}

	return joined
}

// put puts a document in the place of an earlier one, or sets the fields of it that are ours.
func (m *merging) put(document config.Document) error {
	kind, name := document.Kind(), ""
	if named, ok := document.(config.NamedDocument); ok {
		name = named.Name()
	}

	if m.find(kind, name) == nil {
		return m.add(document)
	}

	switch ours := document.(type) {
	case *network.ResolverConfigV1Alpha1:
		return change(m, ours, name, func(theirs *network.ResolverConfigV1Alpha1) (any, any, []any) {
			return theirs.ResolverNameservers, ours.ResolverNameservers, []any{"nameservers"}
		})
	case *network.KubeSpanConfigV1Alpha1:
		return change(m, ours, name, func(theirs *network.KubeSpanConfigV1Alpha1) (any, any, []any) {
			var earlier []string
			if theirs.ConfigFilters != nil {
				earlier = theirs.ConfigFilters.ConfigEndpoints
			}

			return earlier, ours.ConfigFilters.ConfigEndpoints, []any{"filters", "endpoints"}
		})
	case *runtime.SysctlConfigV1Alpha1:
		return change(m, ours, name, func(theirs *runtime.SysctlConfigV1Alpha1) (any, any, []any) {
			return theirs.Params[forwardingSysctl], ours.Params[forwardingSysctl], []any{"params", forwardingSysctl}
		})
	case *network.RuleConfigV1Alpha1:
		return m.replaceRule(ours)
	}

	return fmt.Errorf("the machine config has a document %s already, which cannot be changed", kind)
}

// change sets one field of a document unless it has the value already.
func change[T config.Document](m *merging, ours T, name string, field func(theirs T) (earlier, value any, path []any)) error {
	theirs, err := findDocument[T](m, ours.Kind(), name)
	if err != nil {
		return err
	}

	earlier, value, path := field(theirs)
	if reflect.DeepEqual(earlier, value) {
		return nil
	}

	m.edit.Set(m.find(ours.Kind(), name), value, path...)

	return nil
}

// replaceRule replaces a firewall rule, which is ours as a whole.
func (m *merging) replaceRule(ours *network.RuleConfigV1Alpha1) error {
	theirs, err := findDocument[*network.RuleConfigV1Alpha1](m, ours.Kind(), ours.Name())
	if err != nil || reflect.DeepEqual(theirs, ours) {
		return err
	}

	m.edit.Set(m.find(ours.Kind(), ours.Name()), ours)

	return nil
}
