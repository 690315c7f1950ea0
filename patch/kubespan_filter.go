package patch

import (
	"net/netip"
	"slices"

	"github.com/siderolabs/go-pointer"
	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/network"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/talos-tsbridge/talos-tsbridge/internal/cidr"
	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
	"github.com/talos-tsbridge/talos-tsbridge/nodeip"
)

// WithKubeSpanFilter keeps tailnet addresses out of the endpoints that the node advertises for KubeSpan, whose WireGuard
// would else run inside of that of the tailnet. Where KubeSpan is not enabled it does nothing. Default: not set.
func WithKubeSpanFilter(filter bool) Option {
	return func(o *options) { o.KubeSpanFilter = &filter }
}

// kubeSpanFilter keeps the tailnet out of KubeSpan.
type kubeSpanFilter struct{}

var _ feature = kubeSpanFilter{}

func newKubeSpanFilter(d *draft) feature {
	if !pointer.SafeDeref(d.KubeSpanFilter) {
		return nil
	}

	return kubeSpanFilter{}
}

// endpoints lets every address be one but those of the tailnet. As in the list of the node IP, what is excluded comes last.
func (kubeSpanFilter) endpoints() []string {
	return []string{cidr.AllIPv4.String(), cidr.AllIPv6.String(), "!" + tailaddr.IPv4().String(), "!" + tailaddr.IPv6().String()}
}

// completed returns the list of a machine config with what keeps the tailnet out of it, or the whole one where there is none.
func (k kubeSpanFilter) completed(theirs []string) []string {
	kept := slices.DeleteFunc(slices.Clone(theirs), func(subnet string) bool {
		prefixes := positive([]string{subnet})

		return len(prefixes) > 0 && slices.ContainsFunc(tailaddr.Ranges(), func(r netip.Prefix) bool { return cidr.Contains(r, prefixes[0]) })
	})

	if len(positive(kept)) == 0 {
		return k.endpoints()
	}

	return append(kept, nodeip.MissingExclusions(kept...)...)
}

func (kubeSpanFilter) document(endpoints []string) *network.KubeSpanConfigV1Alpha1 {
	document := network.NewKubeSpanV1Alpha1()
	document.ConfigFilters = &network.KubeSpanFiltersConfig{ConfigEndpoints: endpoints}

	return document
}

func (k kubeSpanFilter) documents(version *coreconfig.VersionContract, _ bool) []config.Document {
	if contract.KubeSpanConfig(version) {
		return []config.Document{k.document(k.endpoints())}
	}

	return machineFragment(&v1alpha1.MachineConfig{MachineNetwork: &v1alpha1.NetworkConfig{
		NetworkKubeSpan: &v1alpha1.NetworkKubeSpan{
			KubeSpanFilters: &v1alpha1.KubeSpanFilters{KubeSpanFiltersEndpoints: k.endpoints()},
		},
	}})
}

func (kubeSpanFilter) deletions() []string {
	return []string{`apiVersion: v1alpha1
kind: KubeSpanConfig
filters:
    endpoints:
        $patch: delete
`}
}

func (kubeSpanFilter) owned() []machineconfig.Field {
	return []machineconfig.Field{
		documentField(network.KubeSpanKind, "filters", "endpoints"),
		legacyField("machine", "network", "kubespan", "filters", "endpoints"),
	}
}

// apply sets the filter where the config has KubeSpan: the newer form beside the older one would be refused.
func (k kubeSpanFilter) apply(m *merging) error {
	if contract.KubeSpanConfig(m.contract) && !m.config.hasLegacyKubeSpan() {
		endpoints := func(c *network.KubeSpanConfigV1Alpha1) []string {
			return pointer.SafeDeref(c.ConfigFilters).ConfigEndpoints
		}

		theirs, err := findDocument[*network.KubeSpanConfigV1Alpha1](m, network.KubeSpanKind, "")
		if err != nil {
			return err
		}

		ours := k.document(k.completed(endpoints(pointer.To(pointer.SafeDeref(theirs)))))

		return setField(m, ours, func(c *network.KubeSpanConfigV1Alpha1) any { return endpoints(c) }, "filters", "endpoints")
	}

	d, machine := m.legacy()
	filters := pointer.SafeDeref(pointer.SafeDeref(machine.MachineNetwork).NetworkKubeSpan).KubeSpanFilters
	theirs := pointer.SafeDeref(filters).KubeSpanFiltersEndpoints

	m.set(d, theirs, k.completed(theirs), "machine", "network", "kubespan", "filters", "endpoints")

	return nil
}
