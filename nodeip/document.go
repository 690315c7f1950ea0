package nodeip

import (
	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/k8s"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/document"
)

// Document returns the document that narrows the node IP of the kubelet, in the form that configs of the contract take:
// a [k8s.KubeNodeConfigV1Alpha1] from contract v1.14 on, a [v1alpha1.Config] that holds only machine.kubelet.nodeIP
// before. A nil contract is the newest supported one. It returns nil for empty subnets.
//
// It fails for a contract before v1.7; one after v1.14 is taken as v1.14.
func (s Subnets) Document(version *coreconfig.VersionContract) (config.Document, error) {
	version, err := contract.Resolve(version)
	if err != nil {
		return nil, err
	}

	if s.IsEmpty() {
		return nil, nil //nolint:nilnil // there is no document for no subnets
	}

	if contract.KubeNodeConfig(version) {
		node := k8s.NewKubeNodeConfigV1Alpha1()
		node.NodeIPConfig.NodeIPValidSubnets = s.Strings()

		return node, nil
	}

	return &v1alpha1.Config{
		ConfigVersion: v1alpha1.Version,
		MachineConfig: &v1alpha1.MachineConfig{
			MachineKubelet: &v1alpha1.KubeletConfig{
				KubeletNodeIP: &v1alpha1.KubeletNodeIPConfig{KubeletNodeIPValidSubnets: s.Strings()},
			},
		},
	}, nil
}

// Bytes returns [Subnets.Document] as YAML, a patch for talosctl's --config-patch; nil for empty subnets. On contracts before v1.14 it
// is not what Talos's encoder makes of the document: that writes out fields of the v1alpha1 config that are empty, such as
// machine.type, and a patch that has them says more than a node IP.
func (s Subnets) Bytes(version *coreconfig.VersionContract) ([]byte, error) {
	made, err := s.Document(version)
	if err != nil || made == nil {
		return nil, err
	}

	return document.Encode("", []config.Document{made}, nil)
}

// EtcdDocument returns the document that narrows the addresses that etcd advertises: a [v1alpha1.Config] that holds only
// cluster.etcd.advertisedSubnets, on every contract. It returns nil for empty subnets.
//
// Talos accepts it on control planes only. Unlike the kubelet, etcd advertises every address that matches, and it also
// listens on no others.
func (s Subnets) EtcdDocument() *v1alpha1.Config {
	if s.IsEmpty() {
		return nil
	}

	return &v1alpha1.Config{
		ConfigVersion: v1alpha1.Version,
		ClusterConfig: &v1alpha1.ClusterConfig{
			EtcdConfig: &v1alpha1.EtcdConfig{EtcdAdvertisedSubnets: s.Strings()},
		},
	}
}
