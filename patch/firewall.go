package patch

import (
	"net/netip"

	"github.com/siderolabs/go-pointer"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/network"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"github.com/siderolabs/talos/pkg/machinery/nethelpers"

	"github.com/talos-tsbridge/talos-tsbridge/internal/cidr"
	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

// The ports that the rules open. Control planes serve Kubernetes on the port that Talos uses unless it is told another.
const (
	tailscaledPort = 41641
	kubernetesPort = constants.DefaultControlPlanePort
)

func (p *Patch) setFirewall(o *options, faults *Faults) {
	if !pointer.SafeDeref(o.Firewall) {
		return
	}

	port, ok := p.rulePort(faults)
	if !ok {
		return
	}

	p.node.firewallPort, p.node.kubernetesRule = port, p.role.IsControlPlane()
	p.node.kubernetesPort = o.base.kubernetesPort()

	closed := "the Talos API"
	if p.role.IsControlPlane() {
		closed += " and the Kubernetes API"
	}

	switch {
	case o.base == nil:
		p.notes.add(NoteFirewall, "`firewall`: only for a config that has NetworkDefaultActionConfig with ingress: block; without it these rules close "+
			"%s to everyone outside of the tailnet, the LAN included", closed)
	case !o.baseBlocks:
		faults.add(CodeConfig, "firewall", "`firewall`: %s", noDefaultBlock(closed))
	}
}

// noDefaultBlock says what is missing in a machine config that must not get firewall rules.
func noDefaultBlock(closed string) string {
	return "the machine config does not block by default, and so the rules would close " + closed + " to everyone outside of the tailnet, the LAN " +
		"included: add NetworkDefaultActionConfig with ingress: block and rules for the LAN first"
}

// rulePort is the port that a rule can name.
func (p *Patch) rulePort(faults *Faults) (port uint16, ok bool) {
	switch fixed := p.service.port; {
	case fixed == nil:
		faults.add(CodeMissing, "firewall", "`firewall`: variable %s leaves the port of tailscaled open, and a rule has to name it: add --port=41641 to it",
			containerboot.DaemonVariable)
	case *fixed == 0:
		faults.add(CodeConflict, "firewall", "`firewall`: port 0 of tailscaled is any port, and a rule has to name it: write one such as 41641")
	default:
		return *fixed, true
	}

	return 0, false
}

func firewallDocuments(port uint16, kubernetes bool, kubernetesPort uint16) []config.Document {
	tailnet := tailaddr.Ranges()

	var documents []config.Document

	if port != 0 {
		documents = append(documents,
			firewallRule("tailnet-tailscaled", nethelpers.ProtocolUDP, port, cidr.AllIPv4, cidr.AllIPv6),
			firewallRule("tailnet-apid", nethelpers.ProtocolTCP, constants.ApidPort, tailnet...))
	}

	if kubernetes {
		documents = append(documents, firewallRule("tailnet-kube-apiserver", nethelpers.ProtocolTCP, kubernetesPort, tailnet...))
	}

	return documents
}

func firewallRule(name string, protocol nethelpers.Protocol, port uint16, sources ...netip.Prefix) *network.RuleConfigV1Alpha1 {
	rule := network.NewRuleConfigV1Alpha1()
	rule.MetaName = name
	rule.PortSelector.Protocol = protocol
	rule.PortSelector.Ports = network.PortRanges{{Lo: port, Hi: port}}

	for _, source := range sources {
		rule.Ingress = append(rule.Ingress, network.IngressRule{Subnet: source})
	}

	return rule
}
