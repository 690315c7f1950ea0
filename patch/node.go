package patch

import (
	"net/netip"

	"github.com/siderolabs/go-pointer"
	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
)

// node is what a node of a tailnet needs besides the service and its node IP, checked. The zero node needs nothing.
type node struct {
	hosts       []staticHost
	nameservers []netip.Addr
	certSANs    []string
	// apiServerSANs are those of the Kubernetes API, on control planes.
	apiServerSANs []string
	// firewallPort is the port of tailscaled, 0 for no rules.
	firewallPort uint16
	// kubernetesRule tells that there is a rule for the Kubernetes API, which control planes serve.
	kubernetesRule bool
	kubernetesPort uint16
	kubeSpanFilter bool
	forwardIPv6    bool
	installImage   string
}

// setNode checks what the options say about the node.
func (p *Patch) setNode(o *options, faults *Faults) {
	p.node.kubeSpanFilter = pointer.SafeDeref(o.KubeSpanFilter)
	p.node.forwardIPv6 = p.service.forwardIPv6

	p.setStaticHosts(o, faults)
	p.setNameservers(o, faults)
	p.setCertSANs(o, faults)
	p.setAPIServerSANs(o, faults)
	p.setFirewall(o, faults)
	p.setInstallImage(o, faults)
}

// fragments returns the parts that belong into the v1alpha1 config on the contract.
func (n node) fragments(version *coreconfig.VersionContract) []*v1alpha1.Config {
	var fragments []*v1alpha1.Config

	for _, fragment := range []*v1alpha1.MachineConfig{
		staticHostFragment(version, n.hosts),
		nameserverFragment(version, n.nameservers),
		certSANFragment(n.certSANs),
		kubeSpanFragment(version, n.kubeSpanFilter),
		forwardingFragment(version, n.forwardIPv6),
		installImageFragment(n.installImage),
	} {
		if fragment != nil {
			fragments = append(fragments, &v1alpha1.Config{ConfigVersion: v1alpha1.Version, MachineConfig: fragment})
		}
	}

	if fragment := apiServerFragment(version, n.apiServerSANs); fragment != nil {
		fragments = append(fragments, fragment)
	}

	return fragments
}

// additions returns what only the role may carry.
func (n node) additions() node {
	return node{kubernetesRule: n.kubernetesRule, kubernetesPort: n.kubernetesPort, apiServerSANs: n.apiServerSANs}
}

// documents returns the documents of their own, in the order that is a promise.
func (n node) documents(version *coreconfig.VersionContract) []config.Document {
	documents := staticHostDocuments(version, n.hosts)
	documents = append(documents, nameserverDocuments(version, n.nameservers)...)
	documents = append(documents, firewallDocuments(n.firewallPort, n.kubernetesRule, n.kubernetesPort)...)
	documents = append(documents, kubeSpanDocuments(version, n.kubeSpanFilter)...)
	documents = append(documents, forwardingDocuments(version, n.forwardIPv6)...)

	return append(documents, apiServerDocuments(version, n.apiServerSANs)...)
}
