package patch

import (
	"errors"
	"fmt"
	"slices"

	"github.com/siderolabs/go-pointer"
	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime/extensions"
	"github.com/siderolabs/talos/pkg/machinery/nethelpers"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/nodeip"
)

// Detect tells the version contract of a machine config, as the oldest whose form it has, and the role of its node.
//
// It fails, in one line that repeats nothing of the config, for what is no machine config, and for one from before
// contract v1.7.
func Detect(config []byte) (*coreconfig.VersionContract, machine.Type, error) {
	s, err := readStream(config)
	if err != nil {
		return nil, machine.TypeUnknown, err
	}

	role, err := s.role()
	if err != nil {
		return nil, machine.TypeUnknown, err
	}

	version, err := s.contract()

	return version, role, err
}

// WithBase takes from a machine config what a patch for it needs to know: the contract and the role, where no other
// option says them, and for the default node IP the families of the cluster's service CIDRs in their order.
func WithBase(config []byte) Option {
	return func(o *options) { o.base = config }
}

// role returns the role of the node.
func (s *stream) role() (machine.Type, error) {
	legacy := s.provider.RawV1Alpha1()
	if legacy == nil || legacy.MachineConfig == nil {
		return machine.TypeUnknown, errors.New("the machine config has no document with machine: in it: give the whole config of a node")
	}

	role := legacy.MachineConfig.Type()
	if role == machine.TypeUnknown {
		return role, errors.New("the machine config does not say machine.type: write controlplane or worker there")
	}

	return role, nil
}

// What first appeared in the configs of a contract. Which document kinds Talos registered when was read off its releases.
var (
	// kubernetesKinds took the place of fields of the v1alpha1 config: a config has either.
	kubernetesKinds = []string{"KubeNodeConfig", "KubeletConfig", "KubeClusterConfig", "KubeNetworkConfig"}

	kindsOf113 = []string{
		"BlackholeRouteConfig", "EnvironmentConfig", "ExternalVolumeConfig", "ImageVerificationConfig", "KubeSpanConfig", "RoutingRuleConfig",
		"TCPProbeConfig", "VRFConfig",
	}
	kindsOf112 = []string{
		"BondConfig", "BridgeConfig", "DHCPv4Config", "DHCPv6Config", "DummyLinkConfig", "HCloudVIPConfig", "HostnameConfig", "Layer2VIPConfig",
		"LinkAliasConfig", "LinkConfig", "OOMConfig", "RegistryAuthConfig", "RegistryMirrorConfig", "RegistryTLSConfig", "ResolverConfig",
		"StaticHostConfig", "TimeSyncConfig", "VLANConfig", "WireguardConfig",
	}
)

// contract returns the oldest contract whose form the config has.
func (s *stream) contract() (*coreconfig.VersionContract, error) {
	switch {
	case s.has(kubernetesKinds):
		return coreconfig.TalosVersion1_14, nil
	case s.has(kindsOf113):
		return coreconfig.TalosVersion1_13, nil
	case s.has(kindsOf112):
		return coreconfig.TalosVersion1_12, nil
	case s.hasHostDNS(), s.has([]string{extensions.ServiceConfigKind}):
		return contract.Oldest, nil
	}

	return nil, fmt.Errorf("the machine config is of a contract before %s, which had no system extension services (machine.features.hostDNS is "+
		"missing): if its node runs Talos %s or newer, say so as the talos version", contract.Oldest, contract.Oldest)
}

// has reports whether there is a document of one of the kinds.
func (s *stream) has(kinds []string) bool {
	return slices.ContainsFunc(s.sections, func(section *section) bool { return slices.Contains(kinds, section.kind) })
}

// blocksByDefault reports whether a firewall lets through only what a rule says.
func (s *stream) blocksByDefault() bool {
	rules := s.provider.NetworkRules()

	return rules != nil && rules.DefaultAction() == nethelpers.DefaultActionBlock
}

// hasHostDNS reports whether the config says anything of the host DNS, which configs do since contract v1.7.
func (s *stream) hasHostDNS() bool {
	legacy := s.provider.RawV1Alpha1()

	return legacy != nil && legacy.MachineConfig != nil && legacy.MachineConfig.MachineFeatures != nil &&
		legacy.MachineConfig.MachineFeatures.HostDNSSupport != nil
}

// resolve finds the contract and the role: those of the settings, else those of the base, else none. It takes from the base
// what the default node IP and the firewall depend on.
func (o *options) resolve() error {
	var faults Faults

	o.contract, o.role = contract.Newest, machine.TypeUnknown

	if o.TalosVersion != nil {
		version, err := contract.Parse(*o.TalosVersion)
		faults.addError(CodeUnsupported, "talos-version", "", err)

		if err == nil {
			o.contract = version
		}
	}

	switch role, err := machine.ParseType(pointer.SafeDeref(o.Role)); {
	case o.Role == nil:
	case err != nil || *o.Role == "":
		faults.add(CodeInvalid, "role", "`role` %s is unknown: write controlplane or worker", quote.Value(*o.Role))
	default:
		o.role = role
	}

	if o.base != nil {
		faults.addError(CodeConfig, "", "", o.useBase())
	}

	return faults.err()
}

// useBase fills in what the base says and the settings do not.
func (o *options) useBase() error {
	s, err := readStream(o.base)
	if err != nil {
		return err
	}

	if o.TalosVersion == nil {
		version, versionErr := s.contract()
		if err = versionErr; err == nil {
			o.contract = version
		}
	}

	if o.Role == nil {
		var roleErr error

		o.role, roleErr = s.role()
		err = errors.Join(err, roleErr)
	}

	o.baseBlocks = s.blocksByDefault()

	if network := s.provider.K8sNetworkConfig(); network != nil {
		o.defaultSubnets = nodeip.DefaultFor(network.ServiceCIDRs())
	}

	return err
}
