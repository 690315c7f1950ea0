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

// apiServerSANs are names in the certificate of the Kubernetes API, on control planes.
type apiServerSANs []string

var _ roleFeature = apiServerSANs{}

// newAPIServerSANs checks the names: those of the node in MagicDNS first, then the given ones.
func newAPIServerSANs(d *draft) feature {
	const option = "api-server-san"

	if !d.role.IsControlPlane() {
		if len(d.APIServerSANs) > 0 {
			d.faults.add(CodeUnsupported, option, "`api-server-san` is for control planes only, workers have no Kubernetes API: set `role` to controlplane, or "+
				"leave it out")
		}

		return nil
	}

	var unheard Faults // those of the Talos API say what is wrong with the domain

	names := union(magicDNSNames(d.options, &unheard), d.parseCertSANs(option, d.APIServerSANs))
	if len(names) == 0 {
		return nil
	}

	return apiServerSANs(names)
}

func (a apiServerSANs) documents(version *coreconfig.VersionContract, _ bool) []config.Document {
	if contract.KubeAPIServerConfig(version) {
		document := k8s.NewKubeAPIServerConfigV1Alpha1()
		document.PodCertExtraSANs = slices.Clone(a)

		return []config.Document{document}
	}

	return []config.Document{&v1alpha1.Config{
		ConfigVersion: v1alpha1.Version,
		ClusterConfig: &v1alpha1.ClusterConfig{APIServerConfig: &v1alpha1.APIServerConfig{ExtraCertSANs: slices.Clone(a)}},
	}}
}

func (a apiServerSANs) additions() feature { return a }

// deletions are none: the names of others would go too.
func (apiServerSANs) deletions() []string { return nil }

// owned is a list to which names are added.
func (apiServerSANs) owned() []machineconfig.Field {
	return []machineconfig.Field{
		growing(documentField(k8s.KubeAPIServerConfig, "certExtraSANs")),
		growing(legacyField("cluster", "apiServer", "certSANs")),
	}
}

// apply adds the names where the config has those of the Kubernetes API.
func (a apiServerSANs) apply(m *merging) error {
	var earlier []string
	if server := m.config.loaded.provider.K8sAPIServerConfig(); server != nil {
		earlier = server.CertSANs()
	}

	names := union(earlier, a)
	legacy, _ := m.legacy()

	switch d := m.find(k8s.KubeAPIServerConfig, ""); {
	case slices.Equal(names, earlier):
	case d != nil:
		m.edit.Set(d, names, "certExtraSANs")
	case m.config.has(kubernetesKinds) && legacy.Get("cluster", "apiServer") == nil:
		return contractFault("it has no document KubeAPIServerConfig, where the names of the Kubernetes API go: add it, or leave the names out")
	default:
		m.edit.Set(legacy, names, "cluster", "apiServer", "certSANs")
	}

	return nil
}
