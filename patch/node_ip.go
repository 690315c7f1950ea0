package patch

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/siderolabs/go-pointer"
	sideronet "github.com/siderolabs/net"
	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/k8s"

	"github.com/talos-tsbridge/talos-tsbridge/internal/cidr"
	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
	"github.com/talos-tsbridge/talos-tsbridge/nodeip"
)

// WithNodeIPSubnets sets the subnets that the kubelet's node IP may come from, as [nodeip.Parse] reads them. Default:
// [nodeip.Default].
func WithNodeIPSubnets(subnets ...string) Option {
	return func(o *options) { add(&o.NodeIPSubnets, subnets...) }
}

// WithoutNodeIP leaves the node IP to Talos.
func WithoutNodeIP() Option {
	return func(o *options) { o.NoNodeIP = pointer.To(true) }
}

// nodeIP narrows the node IP of the kubelet.
type nodeIP struct {
	// subnets take the place of every list.
	subnets subnetList
	// completed is the list that the machine config has, with what is missing in it; remove takes it out.
	completed []string
	remove    bool
}

var _ feature = nodeIP{}

func newNodeIP(d *draft) feature {
	noNodeIP, kept := pointer.SafeDeref(d.NoNodeIP), d.target.validSubnets()

	switch {
	case noNodeIP && len(d.NodeIPSubnets) > 0:
		d.faults.add(CodeConflict, "no-node-ip", "`node-ip-subnet` and `no-node-ip` exclude each other")
	case len(d.NodeIPSubnets) > 0 && d.isUnset(nodeIPFlag):
		d.faults.add(CodeConflict, "unset", "`unset` --node-ip-subnet takes out what is given: leave one of them out")
	case len(d.NodeIPSubnets) > 0:
		d.nodeIP.subnets = d.parseSubnets(&d.faults, nodeIPFlag, d.NodeIPSubnets)
		d.addNotes(NoteNodeIP, "node IP", d.nodeIP.subnets)
	case d.isUnset(nodeIPFlag):
		d.nodeIP.remove = len(kept) > 0
	case len(kept) > 0 && noNodeIP:
		d.notes.add(NoteKept, "the node IP subnets of the machine config stay: `unset` --node-ip-subnet takes them out")
	case noNodeIP:
	case len(kept) > 0:
		d.keepNodeIP(kept)
	default:
		d.setDefaultNodeIP()
	}

	if d.base != nil && !d.nodeIP.subnets.isTemplate() && (len(d.NodeIPSubnets) > 0 || len(kept) > 0 && !noNodeIP) {
		d.checkCluster(len(d.NodeIPSubnets) > 0)
	}

	if d.base.kubeletPicksNodeIP() && !noNodeIP {
		d.notes.add(NoteKubeletNodeIP, "the kubelet of the machine config has the extra argument node-ip, which decides alone: the subnets have no effect until "+
			"it is taken out")
	}

	d.noteOwnLAN()

	if d.nodeIP.subnets.IsEmpty() && d.nodeIP.completed == nil && !d.nodeIP.remove {
		return nil
	}

	return d.nodeIP
}

func (n nodeIP) documents(version *coreconfig.VersionContract, _ bool) []config.Document {
	if document, err := n.subnets.Document(version); err == nil && document != nil { // the contract is one that it takes
		return []config.Document{document}
	}

	return nil
}

func (n nodeIP) deletions() []string {
	if n.subnets.IsEmpty() {
		return nil
	}

	return []string{`apiVersion: v1alpha1
kind: KubeNodeConfig
nodeIP:
    $patch: delete
`}
}

func (nodeIP) owned() []machineconfig.Field {
	return []machineconfig.Field{
		documentField(k8s.KubeNodeConfig, "nodeIP", "validSubnets"),
		legacyField("machine", "kubelet", "nodeIP", "validSubnets"),
	}
}

func (n nodeIP) apply(m *merging) error {
	node := m.find(k8s.KubeNodeConfig, "")
	d, path := node, []any{"nodeIP", "validSubnets"}

	if node == nil {
		d, _ = m.legacy()
		path = []any{"machine", "kubelet", "nodeIP", "validSubnets"}
	}

	switch {
	case n.completed != nil:
		m.edit.Set(d, n.completed, path...)
	case n.remove:
		m.edit.Remove(d, path...)
	case !contract.KubeNodeConfig(m.contract) && node != nil:
		return contractFault("it is of contract v1.14 or newer, and the patch is for %s: leave `talos-version` out", m.contract)
	case contract.KubeNodeConfig(m.contract) && !m.config.has(kubernetesKinds):
		return contractFault("it is of a contract before v1.14, and the patch is for %s: leave `talos-version` out", m.contract)
	case contract.KubeNodeConfig(m.contract) && node == nil && m.find(k8s.KubeletConfig, "") != nil:
		document, err := n.subnets.Document(m.contract)
		if err != nil {
			return err
		}

		return m.add(document)
	default: // on its way to v1.14 a config may have documents for some fields, and the kubelet's in their old place
		m.edit.Set(d, n.subnets.Strings(), path...)
	}

	return nil
}

func (d *draft) setDefaultNodeIP() {
	d.nodeIP.subnets = subnetList{Subnets: d.defaultSubnets}

	if d.nodeIP.subnets.IsEmpty() {
		d.nodeIP.subnets = subnetList{Subnets: nodeip.Default()}
	}

	if d.base == nil {
		d.notes.add(NoteNodeIPFamily, "node IP: any IPv4 address outside of the tailnet; an IPv6 or dual-stack cluster must name its subnets, "+
			"such as ::/0, or the kubelet may not start")
	}
}

// keepNodeIP keeps the list of the config, and adds what keeps the tailnet out where it lets that in.
func (d *draft) keepNodeIP(kept []string) {
	if len(positive(kept)) == 0 {
		d.notes.add(NoteNodeIP, "node IP: the subnets of the machine config only exclude, so no address is left and the kubelet does not start: give "+
			"those to take addresses from with `node-ip-subnet`")
	}

	missing := nodeip.MissingExclusions(kept...)
	if len(missing) == 0 {
		return
	}

	d.nodeIP.completed = slices.Concat(kept, missing)
	d.notes.add(NoteKept, "the node IP subnets of the machine config stay, and %s is added: they let an address of the tailnet in", strings.Join(missing, ", "))
}

// finalNodeIP is the list that the node has in the end, nil for none.
func (d *draft) finalNodeIP() []string {
	switch {
	case !d.nodeIP.subnets.IsEmpty():
		return d.nodeIP.subnets.Strings()
	case d.nodeIP.completed != nil:
		return d.nodeIP.completed
	case d.nodeIP.remove:
		return nil
	}

	return d.target.validSubnets()
}

// ofCluster returns which of the subnets lie in the pod and service subnets of the cluster, from which Talos takes no address for
// the kubelet and etcd. It needs a base.
func (d *draft) ofCluster(subnets []netip.Prefix) []netip.Prefix {
	reserved := slices.Concat(d.base.PodCIDRs(), d.base.ServiceCIDRs())

	return slices.DeleteFunc(slices.Clone(subnets), func(subnet netip.Prefix) bool {
		return !slices.ContainsFunc(reserved, func(r netip.Prefix) bool { return cidr.Contains(r, subnet) })
	})
}

// checkCluster looks at the subnets of the node IP beside those of the cluster.
func (d *draft) checkCluster(given bool) {
	positives := positive(d.finalNodeIP())
	inside := d.ofCluster(positives)

	switch {
	case len(inside) == 0:
	case given && len(inside) == len(positives):
		d.faults.add(CodeConflict, nodeIPFlag, "`node-ip-subnet` %s lies in the pod or service subnets of the cluster, from which Talos takes no node IP: the kubelet "+
			"would not start; give the subnets of the LAN", joinPrefixes(inside))
	default:
		d.notes.add(NoteNodeIP, "node IP: %s lies in the pod or service subnets of the cluster, from which Talos takes no node IP", joinPrefixes(inside))
	}

	if services := d.base.ServiceCIDRs(); len(services) > 0 && len(positives) > 0 && !slices.ContainsFunc(services, func(s netip.Prefix) bool {
		return slices.ContainsFunc(positives, func(p netip.Prefix) bool { return p.Addr().Is4() == s.Addr().Is4() })
	}) {
		d.notes.add(NoteNodeIPFamily, "node IP: the service subnets of the cluster are of another address family than %s", joinPrefixes(positives))
	}
}

// noteOwnLAN says what routes of the tailnet may do to the node's own LAN: tailscale's rules come before those of the LAN.
func (d *draft) noteOwnLAN() {
	if !d.service.acceptsRoutes {
		return
	}

	arguments, _ := d.service.environment.UpArguments()
	inArguments, _ := containerboot.Find(arguments, "advertise-routes")
	routes, _, _ := containerboot.ParseRoutes("", []string{d.service.environment.Get("TS_ROUTES"), inArguments})
	lan := positive(d.finalNodeIP())

	for _, route := range routes {
		if i := slices.IndexFunc(lan, func(l netip.Prefix) bool { return l.Bits() > 0 && l.Overlaps(route) }); i >= 0 {
			d.notes.add(NoteOwnLAN, "`accept-routes` and the advertised route %s, which is the node's own LAN (%s): another node that advertises it too takes this "+
				"one's traffic to its LAN; let one of them go", route, lan[i])

			return
		}
	}

	if pointer.SafeDeref(d.AcceptRoutes) {
		d.notes.add(NoteOwnLAN, "`accept-routes`: a route of the tailnet that holds the node's own LAN takes the traffic to it, because tailscale's rules come first")
	}
}

func (d *draft) addNotes(code NoteCode, subject string, subnets subnetList) {
	for _, note := range subnets.Notes() {
		d.notes.add(code, "%s: %s", subject, note)
	}
}

// positive returns what a list of subnets and addresses takes in, of those that can be read, and not what it excludes.
func positive(list []string) []netip.Prefix {
	var positives []netip.Prefix

	for _, text := range list {
		if prefix, err := sideronet.ParseSubnetOrAddress(text); err == nil {
			positives = append(positives, prefix.Masked())
		}
	}

	return positives
}

func joinPrefixes(prefixes []netip.Prefix) string {
	texts := make([]string, 0, len(prefixes))
	for _, prefix := range prefixes {
		texts = append(texts, prefix.String())
	}

	return strings.Join(texts, ", ")
}
