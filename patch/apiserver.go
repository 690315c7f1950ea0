package patch

import (
	"slices"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/k8s"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
)

// WithAPIServerSANs adds names, or addresses, to the certificate of the Kubernetes API, so that kubectl can call a control plane by
// them. It needs the role of a control plane; there the names that [WithMagicDNSDomain] makes are added too. Default: none.
func WithAPIServerSANs(names ...string) Option {
	return func(o *options) { add(&o.APIServerSANs, names...) }
}

// setAPIServerSANs checks the names of the certificate of the Kubernetes API: those of the node in MagicDNS first, then the given
// ones.
func (p *Patch) setAPIServerSANs(o *options, faults *Faults) {
	const option = "api-server-san"

	if !p.role.IsControlPlane() {
		if len(o.APIServerSANs) > 0 {
			faults.add(CodeUnsupported, option, "`api-server-san` is for control planes only, workers have no Kubernetes API: set `role` to controlplane, or "+
				"leave it out")
		}

		return
	}

	var unheard Faults // certificate.go says what is wrong with the domain

	names := magicDNSNames(o, &unheard)

	p.node.apiServerSANs = union(names, o.parseCertSANs(faults, option, o.APIServerSANs))
}

func apiServerDocuments(version *coreconfig.VersionContract, names []string) []config.Document {
	if !contract.KubeAPIServerConfig(version) || len(names) == 0 {
		return nil
	}

	document := k8s.NewKubeAPIServerConfigV1Alpha1()
	document.PodCertExtraSANs = slices.Clone(names)

	return []config.Document{document}
}

func apiServerFragment(version *coreconfig.VersionContract, names []string) *v1alpha1.Config {
	if contract.KubeAPIServerConfig(version) || len(names) == 0 {
		return nil
	}

	return &v1alpha1.Config{
		ConfigVersion: v1alpha1.Version,
		ClusterConfig: &v1alpha1.ClusterConfig{APIServerConfig: &v1alpha1.APIServerConfig{ExtraCertSANs: slices.Clone(names)}},
	}
}

// applyAPIServer adds the names where the config has those of the Kubernetes API.
func (p *Patch) applyAPIServer(m *merging) error {
	if len(p.node.apiServerSANs) == 0 {
		return nil
	}

	var earlier []string
	if server := m.config.loaded.provider.K8sAPIServerConfig(); server != nil {
		earlier = server.CertSANs()
	}

	names := union(earlier, p.node.apiServerSANs)

	switch d := m.find(k8s.KubeAPIServerConfig, ""); {
	case slices.Equal(names, earlier):
		return nil
	case d != nil:
		m.edit.Set(d, names, "certExtraSANs")

		return nil
	case m.config.has(kubernetesKinds) && m.config.file.Find(machineconfig.Legacy, "").Get("cluster", "apiServer") == nil:
		return contractFault("it has no document KubeAPIServerConfig, where the names of the Kubernetes API go: add it, or leave the names out")
	}

	return m.setLegacy(names, "cluster", "apiServer", "certSANs")
}
