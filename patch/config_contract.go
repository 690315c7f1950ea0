package patch

import (
	"fmt"
	"slices"

	"github.com/siderolabs/go-pointer"
	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/container"
	"github.com/siderolabs/talos/pkg/machinery/config/types/k8s"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime/extensions"
	"github.com/siderolabs/talos/pkg/machinery/nethelpers"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
)

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

// Contract returns the version contract of the config, as the oldest whose form it has, or nil for one from before v1.7,
// which had no system extension services. A config of a Talos newer than the newest known is taken as one of the newest.
func (c *Config) Contract() *coreconfig.VersionContract {
	switch {
	case c.has(kubernetesKinds):
		return coreconfig.TalosVersion1_14
	case c.has(kindsOf113):
		return coreconfig.TalosVersion1_13
	case c.has(kindsOf112):
		return coreconfig.TalosVersion1_12
	case c.hasHostDNS(), c.has([]string{extensions.ServiceConfigKind}):
		return contract.Oldest
	}

	return nil
}

// refuses reports whether Talos does not take one of the documents beside what the v1alpha1 config has: then it has to be a field there, its
// older form. The forms can stand in one config, since a config may be changed document by document.
func (c *Config) refuses(documents []config.Document) bool {
	if c == nil {
		return false
	}

	legacy := c.loaded.provider.RawV1Alpha1()
	if legacy == nil {
		return false
	}

	return slices.ContainsFunc(documents, func(document config.Document) bool {
		validator, ok := document.(container.V1Alpha1ConflictValidator)
		if !ok || c.has([]string{document.Kind()}) {
			return false
		}

		// beside an old kubelet Talos takes a KubeNodeConfig, but with one a control plane has no label and taint but those in it
		isOldKubelet := document.Kind() == k8s.KubeNodeConfig && pointer.SafeDeref(legacy.MachineConfig).MachineKubelet != nil

		return isOldKubelet || validator.V1Alpha1ConflictValidate(legacy) != nil
	})
}

// contractOrError returns the contract, or what is wrong with a config that has none.
func (c *Config) contractOrError() (*coreconfig.VersionContract, error) {
	if version := c.Contract(); version != nil {
		return version, nil
	}

	return nil, &ConfigError{
		Code: ConfigContract,
		Reason: fmt.Sprintf("it is of a contract before %s, which had no system extension services (machine.features.hostDNS is missing): "+
			"if the node runs Talos %s or newer, give that as `talos-version`", contract.Oldest, contract.Oldest),
	}
}

// has reports whether there is a document of one of the kinds.
func (c *Config) has(kinds []string) bool {
	for _, d := range c.file.Documents() {
		if slices.Contains(kinds, d.Kind) {
			return true
		}
	}

	return false
}

// blocksByDefault reports whether a firewall lets through only what a rule says.
func (c *Config) blocksByDefault() bool {
	rules := c.loaded.provider.NetworkRules()

	return rules != nil && rules.DefaultAction() == nethelpers.DefaultActionBlock
}

// hasHostDNS reports whether the config says anything of the host DNS, which configs do since contract v1.7.
func (c *Config) hasHostDNS() bool {
	legacy := pointer.SafeDeref(c.loaded.provider.RawV1Alpha1())

	return pointer.SafeDeref(pointer.SafeDeref(legacy.MachineConfig).MachineFeatures).HostDNSSupport != nil
}
