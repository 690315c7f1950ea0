package patch

import (
	"errors"
	"net/netip"

	"github.com/siderolabs/go-pointer"
	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/network"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"github.com/siderolabs/talos/pkg/machinery/nethelpers"

	"github.com/talos-tsbridge/talos-tsbridge/internal/cidr"
	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

// The ports that the rules open. Control planes serve Kubernetes on the port that Talos uses unless it is told another.
const (
	tailscaledPort = 41641
	kubernetesPort = constants.DefaultControlPlanePort
)

// WithFirewall adds the rules that let the tailnet in where the ingress firewall of Talos blocks by default: tailscaled from
// anywhere, the Talos API and, for control planes, the Kubernetes API from the tailnet. It fixes the port of tailscaled,
// 41641 unless [WithTailscaledPort] says another. Default: no rules.
//
// It is for configs with a NetworkDefaultActionConfig that says ingress: block, and only for those. Without it Talos reads
// each rule the other way around: it closes the port to everyone else, so the LAN would lose both APIs.
func WithFirewall(add bool) Option {
	return func(o *options) { o.Firewall = &add }
}

// firewall is rules that let the tailnet in.
type firewall struct {
	// tailscaled is the port of tailscaled, whose rule goes with that of the Talos API; 0 for neither.
	tailscaled uint16
	// kubernetes is the port of the Kubernetes API, which control planes serve, 0 elsewhere.
	kubernetes uint16
}

var _ roleFeature = firewall{}

func newFirewall(d *draft) feature {
	if !pointer.SafeDeref(d.Firewall) {
		return nil
	}

	port, ok := d.rulePort()
	if !ok {
		return nil
	}

	made, closed := firewall{tailscaled: port}, "the Talos API"
	if d.role.IsControlPlane() {
		made.kubernetes = d.base.kubernetesPort()
		closed += " and the Kubernetes API"
	}

	switch {
	case d.base == nil:
		d.notes.add(NoteFirewall, "`firewall`: only for a config that has NetworkDefaultActionConfig with ingress: block; without it these rules close "+
			"%s to everyone outside of the tailnet, the LAN included", closed)
	case !d.baseBlocks:
		d.faults.add(CodeConfig, "firewall", "`firewall`: %s", noDefaultBlock(closed))
	}

	return made
}

// noDefaultBlock says what is missing in a machine config that must not get firewall rules.
func noDefaultBlock(closed string) string {
	return "the machine config does not block by default, and so the rules would close " + closed + " to everyone outside of the tailnet, the LAN " +
		"included: add NetworkDefaultActionConfig with ingress: block and rules for the LAN first"
}

// rulePort is the port that a rule can name.
func (d *draft) rulePort() (port uint16, ok bool) {
	switch fixed := d.service.port; {
	case fixed == nil:
		d.faults.add(CodeMissing, "firewall", "`firewall`: variable %s leaves the port of tailscaled open, and a rule has to name it: add --port=41641 to it",
			containerboot.DaemonVariable)
	case *fixed == 0:
		d.faults.add(CodeConflict, "firewall", "`firewall`: port 0 of tailscaled is any port, and a rule has to name it: write one such as 41641")
	default:
		return *fixed, true
	}

	return 0, false
}

func (f firewall) rules() []*network.RuleConfigV1Alpha1 {
	tailnet := tailaddr.Ranges()

	var rules []*network.RuleConfigV1Alpha1

	if f.tailscaled != 0 {
		rules = append(rules,
			firewallRule("tailnet-tailscaled", nethelpers.ProtocolUDP, f.tailscaled, cidr.AllIPv4, cidr.AllIPv6),
			firewallRule("tailnet-apid", nethelpers.ProtocolTCP, constants.ApidPort, tailnet...))
	}

	if f.kubernetes != 0 {
		rules = append(rules, firewallRule("tailnet-kube-apiserver", nethelpers.ProtocolTCP, f.kubernetes, tailnet...))
	}

	return rules
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

func (f firewall) documents(*coreconfig.VersionContract, bool) []config.Document {
	var documents []config.Document

	for _, rule := range f.rules() {
		documents = append(documents, rule)
	}

	return documents
}

func (f firewall) additions() feature {
	if f.kubernetes == 0 {
		return nil
	}

	return firewall{kubernetes: f.kubernetes}
}

// deletions are none: a rule replaces an earlier one of its name anyway.
func (firewall) deletions() []string { return nil }

func (firewall) owned() []machineconfig.Field {
	return []machineconfig.Field{wholeDocument(network.RuleConfigKind, "tailnet-*")}
}

func (f firewall) apply(m *merging) error {
	if !m.config.blocksByDefault() {
		return errors.New(noDefaultBlock("the API of the node"))
	}

	for _, ours := range f.rules() {
		theirs, err := findDocument[*network.RuleConfigV1Alpha1](m, ours.Kind(), ours.Name())
		if err == nil && theirs == nil {
			err = m.add(ours)
		}

		if err != nil {
			return err
		}

		if theirs != nil {
			m.set(m.find(ours.Kind(), ours.Name()), theirs, ours)
		}
	}

	return nil
}
