// Package contract answers what a machine config of a Talos version contract may hold.
//
// The contract of the config decides, not the version of the node or of talosctl: a config of contract v1.13 keeps its
// form on a node that runs Talos 1.14. Each feature has one predicate here, and nothing else of the module compares
// versions.
package contract

import (
	"fmt"

	"github.com/siderolabs/talos/pkg/machinery/config"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

// The supported contracts. 1.7 is the first with the ExtensionServiceConfig document, which the tailscale system
// extension is configured by.
var (
	Oldest = config.TalosVersion1_7
	Newest = config.TalosVersion1_14
)

// Resolve returns the contract to build for: Newest for nil, which is machinery's word for the current one, and for a contract
// that is newer still.
//
// It fails for a contract before Oldest.
func Resolve(contract *config.VersionContract) (*config.VersionContract, error) {
	if contract == nil || (contract.Major == 0 && contract.Minor == 0) {
		return Newest, nil
	}

	switch {
	case Oldest.Greater(contract):
		return nil, fmt.Errorf("talos version %s is not supported: use one from %s to %s", contract, Oldest, Newest)
	case contract.Greater(Newest):
		return Newest, nil
	}

	return contract, nil
}

// IsNewer reports whether a version is one after Newest.
func IsNewer(version string) bool {
	contract, err := config.ParseContractFromVersion(version)

	return err == nil && contract.Greater(Newest)
}

// Parse reads a version as talosctl names it, such as v1.14, 1.14 or v1.14.1.
//
// It fails for what is no version and for one before Oldest. One after Newest is taken as Newest.
func Parse(version string) (*config.VersionContract, error) {
	contract, err := config.ParseContractFromVersion(version)
	if err != nil || contract.Major == 0 {
		return nil, fmt.Errorf("talos version %s is not a version: use one from %s to %s", quote.Value(version), Oldest, Newest)
	}

	return Resolve(contract)
}

// KubeNodeConfig reports whether the node IP of the kubelet is set by the KubeNodeConfig document. Before, it is
// machine.kubelet.nodeIP of the v1alpha1 config. Each form is rejected on configs of the other.
func KubeNodeConfig(contract *config.VersionContract) bool {
	return contract.MultidocKubernetesConfigSupported()
}

// KubeAPIServerConfig reports whether the Kubernetes API server is set by the KubeAPIServerConfig document. Before, it is
// cluster.apiServer of the v1alpha1 config.
func KubeAPIServerConfig(contract *config.VersionContract) bool {
	return contract.MultidocKubernetesConfigSupported()
}

// DeleteDirectives reports whether a patch may delete what is not there: before, Talos panics over it or, on the oldest
// contract, does not read it.
func DeleteDirectives(contract *config.VersionContract) bool {
	return contract.Greater(config.TalosVersion1_13)
}

// StaticHostConfig reports whether names of addresses are set by StaticHostConfig documents. Before, they are
// machine.network.extraHostEntries of the v1alpha1 config.
func StaticHostConfig(contract *config.VersionContract) bool {
	return contract.MultidocNetworkConfigSupported()
}

// StaticHostsForPods reports whether a node of the contract's version answers the DNS questions of its pods from its static
// hosts. Before, only the node itself knows them, from its /etc/hosts.
func StaticHostsForPods(contract *config.VersionContract) bool {
	return contract.Greater(config.TalosVersion1_13)
}

// ResolverConfig reports whether the nameservers are set by the ResolverConfig document. Before, they are
// machine.network.nameservers of the v1alpha1 config.
func ResolverConfig(contract *config.VersionContract) bool {
	return contract.MultidocNetworkConfigSupported()
}

// KubeSpanConfig reports whether KubeSpan is set by the KubeSpanConfig document. Before, it is machine.network.kubespan of
// the v1alpha1 config. Each form is rejected beside the other.
func KubeSpanConfig(contract *config.VersionContract) bool {
	return contract.KubeSpanMultidocConfig()
}

// SysctlConfig reports whether kernel parameters are set by the SysctlConfig document. Before, they are machine.sysctls of
// the v1alpha1 config.
func SysctlConfig(contract *config.VersionContract) bool {
	return contract.MultidocSysctlConfigSupported()
}

// UnattendedInstallConfig reports whether the installer image is set by the UnattendedInstallConfig document. Before, it is
// machine.install.image of the v1alpha1 config, which is rejected beside the document.
func UnattendedInstallConfig(contract *config.VersionContract) bool {
	return contract.UnattendedInstallConfig()
}
