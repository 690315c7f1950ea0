package patch

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/siderolabs/go-pointer"

	"github.com/talos-tsbridge/talos-tsbridge/internal/cidr"
	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
	"github.com/talos-tsbridge/talos-tsbridge/nodeip"
)

// subnetChanges are what becomes of the lists of subnets in a machine config: a nil list stays as it is.
type subnetChanges struct {
	nodeIP                   []string
	removeNodeIP, removeEtcd bool
}

// setSubnets sets the subnets of the node IP and of etcd.
func (p *Patch) setSubnets(o *options, faults *Faults) {
	p.setNodeIP(o, faults)
	p.setEtcd(o, faults)
}

func (p *Patch) setNodeIP(o *options, faults *Faults) {
	noNodeIP, kept := pointer.SafeDeref(o.NoNodeIP), o.target.validSubnets()

	switch {
	case noNodeIP && len(o.NodeIPSubnets) > 0:
		faults.add(CodeConflict, "no-node-ip", "`node-ip-subnet` and `no-node-ip` exclude each other")
	case len(o.NodeIPSubnets) > 0 && o.isUnset(nodeIPFlag):
		faults.add(CodeConflict, "unset", "`unset` --node-ip-subnet takes back what is given: leave one of them out")
	case len(o.NodeIPSubnets) > 0:
		p.nodeIP = o.parseSubnets(faults, nodeIPFlag, o.NodeIPSubnets)
		p.addNotes(NoteNodeIP, "node IP", p.nodeIP)
	case o.isUnset(nodeIPFlag):
		p.subnets.removeNodeIP = len(kept) > 0
	case len(kept) > 0 && noNodeIP:
		p.notes.add(NoteKept, "the node IP subnets of the machine config stay: `unset` --node-ip-subnet takes them out")
	case noNodeIP:
	case len(kept) > 0:
		p.keepNodeIP(kept)
	default:
		p.setDefaultNodeIP(o)
	}

	if o.base != nil && !p.nodeIP.isTemplate() && (len(o.NodeIPSubnets) > 0 || len(kept) > 0 && !noNodeIP) {
		p.checkCluster(o, faults, len(o.NodeIPSubnets) > 0)
	}

	if o.base.kubeletPicksNodeIP() && !noNodeIP {
		p.notes.add(NoteKubeletNodeIP, "the kubelet of the machine config has the extra argument node-ip, which decides alone: the subnets have no effect until "+
			"it is taken out")
	}
}

func (p *Patch) setDefaultNodeIP(o *options) {
	p.nodeIP = subnetList{Subnets: o.defaultSubnets}

	if p.nodeIP.IsEmpty() {
		p.nodeIP = subnetList{Subnets: nodeip.Default()}
	}

	if o.base == nil {
		p.notes.add(NoteNodeIPFamily, "node IP: any IPv4 address outside of the tailnet; an IPv6 or dual-stack cluster must name its subnets, "+
			"such as ::/0, or the kubelet may not start")
	}
}

// keepNodeIP keeps the list of the config, and adds what keeps the tailnet out where it lets that in.
func (p *Patch) keepNodeIP(kept []string) {
	missing := nodeip.MissingExclusions(kept...)
	if len(missing) == 0 {
		return
	}

	p.subnets.nodeIP = slices.Concat(kept, missing)
	p.notes.add(NoteKept, "the node IP subnets of the machine config stay, and %s is added: they let an address of the tailnet in", strings.Join(missing, ", "))
}

// finalNodeIP is the list that the node has in the end, nil for none.
func (p *Patch) finalNodeIP(o *options) []string {
	switch {
	case !p.nodeIP.IsEmpty():
		return p.nodeIP.Strings()
	case p.subnets.nodeIP != nil:
		return p.subnets.nodeIP
	case p.subnets.removeNodeIP:
		return nil
	}

	return o.target.validSubnets()
}

// checkCluster looks at the subnets beside those of the cluster: Talos takes no node IP from pod and service subnets.
func (p *Patch) checkCluster(o *options, faults *Faults, given bool) {
	positives := positive(p.finalNodeIP(o))
	reserved := slices.Concat(o.base.PodCIDRs(), o.base.ServiceCIDRs())

	inside := slices.DeleteFunc(slices.Clone(positives), func(positive netip.Prefix) bool {
		return !slices.ContainsFunc(reserved, func(r netip.Prefix) bool { return cidr.Contains(r, positive) })
	})

	switch {
	case len(inside) == 0:
	case given && len(inside) == len(positives):
		faults.add(CodeConflict, nodeIPFlag, "`node-ip-subnet` %s lies in the pod or service subnets of the cluster, from which Talos takes no node IP: the kubelet "+
			"would not start; give the subnets of the LAN", joinPrefixes(inside))
	default:
		p.notes.add(NoteNodeIP, "node IP: %s lies in the pod or service subnets of the cluster, from which Talos takes no node IP", joinPrefixes(inside))
	}

	if services := o.base.ServiceCIDRs(); len(services) > 0 && len(positives) > 0 && !slices.ContainsFunc(services, func(s netip.Prefix) bool {
		return slices.ContainsFunc(positives, func(p netip.Prefix) bool { return p.Addr().Is4() == s.Addr().Is4() })
	}) {
		p.notes.add(NoteNodeIPFamily, "node IP: the service subnets of the cluster are of another address family than %s", joinPrefixes(positives))
	}
}

func (p *Patch) setEtcd(o *options, faults *Faults) {
	kept := o.target.etcdSubnets()

	switch {
	case len(o.EtcdSubnets) > 0 && o.isUnset(etcdFlag):
		faults.add(CodeConflict, "unset", "`unset` --etcd-subnet takes back what is given: leave one of them out")
	case len(o.EtcdSubnets) > 0 && !p.role.IsControlPlane():
		faults.add(CodeUnsupported, etcdFlag, "`etcd-subnet` is for control planes only, talos refuses it on workers: set `role` to controlplane, "+
			"or leave it out")
	case len(o.EtcdSubnets) > 0:
		p.etcd = o.parseSubnets(faults, etcdFlag, o.EtcdSubnets)
		p.addNotes(NoteEtcd, "etcd", p.etcd)
	case o.isUnset(etcdFlag):
		p.subnets.removeEtcd = len(kept) > 0
	case !p.role.IsControlPlane():
	case len(kept) > 0:
		if len(nodeip.MissingExclusions(kept...)) > 0 {
			p.notes.add(NoteEtcdOpen, "the subnets of etcd in the machine config stay, and they let an address of the tailnet in: `etcd-subnet` replaces them")
		}
	default:
		p.setDefaultEtcd(o)
	}

	if p.role.IsControlPlane() || o.target != nil {
		p.noteTailnet(o)
	}
}

// setDefaultEtcd takes the subnets of the node IP. Without any, etcd advertises the first address of the node alone; with them
// every address that matches.
func (p *Patch) setDefaultEtcd(o *options) {
	switch final := p.finalNodeIP(o); {
	case pointer.SafeDeref(o.NoNodeIP) || len(final) == 0:
		p.notes.add(NoteEtcdOpen, "etcd: no subnets, so it may advertise the tailnet address of the node")

		return
	case !p.nodeIP.IsEmpty():
		p.etcd = p.nodeIP
	default:
		subnets, err := nodeip.Parse(final...)
		if err != nil {
			return // Talos does not take the list either
		}

		p.etcd = subnetList{Subnets: subnets}
	}

	positives := positive(p.etcd.Strings())
	if isBroad := slices.ContainsFunc(positives, func(p netip.Prefix) bool { return p.Bits() == 0 }); isBroad {
		p.notes.add(NoteEtcdAll, "etcd advertises every address of the node outside of the tailnet, public ones too, and not the first alone: name the subnet of "+
			"the LAN with `etcd-subnet` or `node-ip-subnet`")
	}
}

// noteTailnet says what it means that the node IP, or etcd's address, is one of the range of tailnets.
func (p *Patch) noteTailnet(o *options) {
	lists := slices.Concat(p.finalNodeIP(o), p.etcd.Strings())
	if p.etcd.IsEmpty() {
		lists = append(lists, o.target.etcdSubnets()...)
	}

	positives := positive(lists)

	i := slices.IndexFunc(positives, func(p netip.Prefix) bool {
		return slices.ContainsFunc(tailaddr.Ranges(), func(r netip.Prefix) bool { return cidr.Contains(r, p) })
	})
	if i < 0 {
		return
	}

	p.notes.add(NoteTailnetSubnet, "subnet %s lies in the range of tailnets: with a tailnet address the kubelet, and on a control plane etcd, depends on tailscaled, "+
		"and stops with its key or its state; a LAN in that range, behind the NAT of a carrier, is cut off by tailscale unless there is `extra-arg` "+
		"--netfilter-mode=off", positives[i])
}

// noteOwnLAN says what routes of the tailnet may do to the node's own LAN: tailscale's rules come before those of the LAN.
func (p *Patch) noteOwnLAN(o *options) {
	if !p.service.acceptsRoutes {
		return
	}

	arguments, _ := p.service.environment.UpArguments()
	inArguments, _ := containerboot.Find(arguments, "advertise-routes")
	routes, _, _ := containerboot.ParseRoutes("", []string{p.service.environment.Get("TS_ROUTES"), inArguments})
	lan := positive(p.finalNodeIP(o))

	for _, route := range routes {
		if i := slices.IndexFunc(lan, func(l netip.Prefix) bool { return l.Bits() > 0 && l.Overlaps(route) }); i >= 0 {
			p.notes.add(NoteOwnLAN, "`accept-routes` and the advertised route %s, which is the node's own LAN (%s): another node that advertises it too takes this "+
				"one's traffic to its LAN; let one of them go", route, lan[i])

			return
		}
	}

	if pointer.SafeDeref(o.AcceptRoutes) {
		p.notes.add(NoteOwnLAN, "`accept-routes`: a route of the tailnet that holds the node's own LAN takes the traffic to it, because tailscale's rules come first")
	}
}

func (p *Patch) addNotes(code NoteCode, subject string, subnets subnetList) {
	for _, note := range subnets.Notes() {
		p.notes.add(code, "%s: %s", subject, note)
	}
}

// positive returns what a list of subnets takes in, of those that can be read, and not what it excludes.
func positive(list []string) []netip.Prefix {
	var positives []netip.Prefix

	for _, text := range list {
		if prefix, err := netip.ParsePrefix(text); err == nil {
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
