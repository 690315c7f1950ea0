package patch_test

import (
	"fmt"
	"strings"
	"testing"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/k8s"
	"github.com/siderolabs/talos/pkg/machinery/config/types/network"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
	"github.com/stretchr/testify/assert"
)

// assertNodeHolds checks the effect of a patched config, which Talos reads from either form.
func assertNodeHolds(t *testing.T, want wantNode, patched coreconfig.Provider) {
	t.Helper()

	var hosts []string
	for _, host := range patched.NetworkStaticHostConfig() {
		hosts = append(hosts, host.IP()+" "+strings.Join(host.Aliases(), " "))
	}

	assert.Equal(t, want.hosts, hosts)

	var nameservers []string

	if resolver := patched.NetworkResolverConfig(); resolver != nil {
		for _, nameserver := range resolver.Resolvers() {
			nameservers = append(nameservers, nameserver.Addr.String())
		}
	}

	assert.Equal(t, want.nameservers, nameservers)

	if dns := patched.NetworkHostDNSConfig(); dns != nil {
		assert.True(t, dns.HostDNSEnabled(), "the cache that pods are answered from")
	}

	for _, name := range want.certSANs {
		assert.Contains(t, patched.Machine().Security().CertSANs(), name)
	}

	for _, name := range want.apiServerSANs {
		assert.Contains(t, patched.K8sAPIServerConfig().CertSANs(), name)
	}

	var rules []string

	for _, rule := range patched.NetworkRules().Rules() {
		document, ok := rule.(*network.RuleConfigV1Alpha1)
		if !assert.True(t, ok) {
			continue
		}

		var subnets []string
		for _, subnet := range rule.Subnets() {
			subnets = append(subnets, subnet.String())
		}

		rules = append(rules, fmt.Sprintf("%s %s %d from %s", document.Name(), rule.Protocol(), rule.PortRanges()[0][0], strings.Join(subnets, " ")))
	}

	assert.Equal(t, want.rules, rules)

	var endpoints []string
	if kubeSpan := patched.NetworkKubeSpanConfig(); kubeSpan != nil {
		endpoints = kubeSpan.Filters().Endpoints()

		assert.False(t, kubeSpan.Enabled(), "the filter does not enable it")
	}

	assert.Equal(t, want.kubeSpan, endpoints)

	for name, value := range want.sysctls {
		assert.Equal(t, value, sysctlsOf(patched)[name])
	}

	if want.image != "" {
		assert.Equal(t, want.image, imageOf(patched))
	}
}

func imageOf(provider coreconfig.Provider) string {
	for _, document := range provider.Documents() {
		if unattended, ok := document.(*runtime.UnattendedInstallConfigV1Alpha1); ok {
			return unattended.Installer.Image
		}
	}

	return provider.RawV1Alpha1().MachineConfig.MachineInstall.InstallImage
}

func sysctlsOf(provider coreconfig.Provider) map[string]string {
	for _, document := range provider.Documents() {
		if sysctls, ok := document.(*runtime.SysctlConfigV1Alpha1); ok {
			return sysctls.Params
		}
	}

	return provider.RawV1Alpha1().MachineConfig.MachineSysctls
}

// withoutNode takes out of a document what our patches set besides the service and the node IP, as base has it. It
// reports whether base has the document at all.
func withoutNode(document config.Document, base coreconfig.Provider) bool {
	switch d := document.(type) {
	case *network.StaticHostConfigV1Alpha1, *network.RuleConfigV1Alpha1, *network.KubeSpanConfigV1Alpha1, *runtime.SysctlConfigV1Alpha1:
		return false
	case *network.ResolverConfigV1Alpha1:
		d.ResolverNameservers = nil

		return d.ResolverHostDNS != network.HostDNSConfig{}
	case *k8s.KubeAPIServerConfigV1Alpha1:
		d.PodCertExtraSANs = base.K8sAPIServerConfig().CertSANs()
	case *runtime.UnattendedInstallConfigV1Alpha1:
		d.Installer.Image = imageOf(base)
	case *v1alpha1.Config:
		if server := base.RawV1Alpha1().ClusterConfig.APIServerConfig; server != nil {
			d.ClusterConfig.APIServerConfig.ExtraCertSANs = server.ExtraCertSANs
		}

		original := base.RawV1Alpha1().MachineConfig
		d.MachineConfig.MachineCertSANs = original.MachineCertSANs
		d.MachineConfig.MachineSysctls = original.MachineSysctls

		if original.MachineNetwork == nil {
			d.MachineConfig.MachineNetwork = nil
		} else {
			d.MachineConfig.MachineNetwork.ExtraHostEntries = nil
			d.MachineConfig.MachineNetwork.NameServers = nil
			d.MachineConfig.MachineNetwork.NetworkKubeSpan = nil
		}

		if original.MachineInstall != nil {
			d.MachineConfig.MachineInstall.InstallImage = original.MachineInstall.InstallImage
		}
	}

	return true
}
