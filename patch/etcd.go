package patch

import (
	"net/netip"
	"slices"

	"github.com/siderolabs/go-pointer"
	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"

	"github.com/talos-tsbridge/talos-tsbridge/internal/cidr"
	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
	"github.com/talos-tsbridge/talos-tsbridge/nodeip"
)

// WithEtcdSubnets sets the subnets that the addresses of etcd may come from, as [nodeip.Parse] reads them. It needs the
// role of a control plane. Default: the subnets of the node IP.
func WithEtcdSubnets(subnets ...string) Option {
	return func(o *options) { add(&o.EtcdSubnets, subnets...) }
}

// etcdSubnets narrow the addresses that etcd advertises, on control planes.
type etcdSubnets struct {
	subnets subnetList
	// remove takes out what the machine config has.
	remove bool
}

var _ roleFeature = etcdSubnets{}

func newEtcd(d *draft) feature {
	var etcd etcdSubnets

	kept := d.target.etcdSubnets()

	switch {
	case len(d.EtcdSubnets) > 0 && d.isUnset(etcdFlag):
		d.faults.add(CodeConflict, "unset", "`unset` --etcd-subnet takes out what is given: leave one of them out")
	case len(d.EtcdSubnets) > 0 && !d.role.IsControlPlane():
		d.faults.add(CodeUnsupported, etcdFlag, "`etcd-subnet` is for control planes only, talos refuses it on workers: set `role` to controlplane, "+
			"or leave it out")
	case len(d.EtcdSubnets) > 0:
		etcd.subnets = d.parseSubnets(&d.faults, etcdFlag, d.EtcdSubnets)
		d.addNotes(NoteEtcd, "etcd", etcd.subnets)
		d.checkEtcdCluster(etcd.subnets)
	case d.isUnset(etcdFlag):
		etcd.remove = len(kept) > 0
	case !d.role.IsControlPlane():
	case len(kept) > 0:
		if len(nodeip.MissingExclusions(kept...)) > 0 {
			d.notes.add(NoteEtcdOpen, "the subnets of etcd in the machine config stay, and they let an address of the tailnet in: `etcd-subnet` replaces them")
		}
	default:
		etcd.subnets = d.defaultEtcd()
	}

	if d.role.IsControlPlane() || d.target != nil {
		d.noteTailnet(etcd.subnets)
	}

	if etcd.subnets.IsEmpty() && !etcd.remove {
		return nil
	}

	return etcd
}

// defaultEtcd returns the subnets that etcd listens on where the config names them, else those of the node IP. Without any, etcd
// advertises the first address of the node alone; with them every address that matches.
func (d *draft) defaultEtcd() subnetList {
	final := d.finalNodeIP()
	if pointer.SafeDeref(d.NoNodeIP) || len(final) == 0 {
		d.notes.add(NoteEtcdOpen, "etcd: no subnets, so it may advertise the tailnet address of the node")

		return subnetList{}
	}

	if d.target != nil && !d.target.hasEtcd() { // alone, the list would make of it a fault that the config has no CA of etcd
		d.notes.add(NoteEtcdOpen, "etcd: the machine config has no cluster.etcd, so its subnets are left out: give them with `etcd-subnet` once it has")

		return subnetList{}
	}

	subnets := d.nodeIP.subnets
	if listen := d.target.etcdListenSubnets(); len(listen) > 0 { // elsewhere nobody reaches it
		subnets, final = subnetList{}, listen
	}

	if subnets.IsEmpty() {
		kept, err := nodeip.Parse(final...)
		if err != nil || d.base != nil && len(d.ofCluster(positive(final))) == len(positive(final)) {
			d.notes.add(NoteEtcdOpen, "etcd: the subnets of the node IP, or those that it listens on, leave it no address, so it gets none of them: name that of the LAN with `etcd-subnet`")

			return subnetList{}
		}

		subnets = subnetList{Subnets: kept}
	}

	positives := positive(subnets.Strings())
	if isBroad := slices.ContainsFunc(positives, func(p netip.Prefix) bool { return p.Bits() == 0 }); isBroad {
		d.notes.add(NoteEtcdAll, "etcd advertises every address of the node outside of the tailnet, public ones too, and not the first alone: name the subnet of "+
			"the LAN with `etcd-subnet` or `node-ip-subnet`")
	}

	return subnets
}

// hasEtcd reports whether the config says anything of etcd, of which Talos wants to know the CA then.
func (c *Config) hasEtcd() bool {
	legacy := pointer.SafeDeref(c.loaded.provider.RawV1Alpha1())

	return pointer.SafeDeref(legacy.ClusterConfig).EtcdConfig != nil
}

// etcdListenSubnets returns the subnets that etcd listens on, where the config names them. It is for a nil config too.
func (c *Config) etcdListenSubnets() []string {
	if c == nil {
		return nil
	}

	legacy := pointer.SafeDeref(c.loaded.provider.RawV1Alpha1())

	return pointer.SafeDeref(pointer.SafeDeref(legacy.ClusterConfig).EtcdConfig).EtcdListenSubnets
}

// checkEtcdCluster looks at the given subnets beside those of the cluster.
func (d *draft) checkEtcdCluster(etcd subnetList) {
	if d.base == nil || etcd.isTemplate() {
		return
	}

	positives := positive(etcd.Strings())
	if inside := d.ofCluster(positives); len(inside) > 0 && len(inside) == len(positives) {
		d.faults.add(CodeConflict, etcdFlag, "`etcd-subnet` %s lies in the pod or service subnets of the cluster, from which Talos takes no address: etcd would "+
			"not start; give the subnets of the LAN", joinPrefixes(inside))
	}
}

// noteTailnet says what it means that the node IP, or etcd's address, is one of the range of tailnets.
func (d *draft) noteTailnet(etcd subnetList) {
	lists := slices.Concat(d.finalNodeIP(), etcd.Strings())
	if etcd.IsEmpty() {
		lists = append(lists, d.target.etcdSubnets()...)
	}

	positives := positive(lists)

	i := slices.IndexFunc(positives, func(p netip.Prefix) bool {
		return slices.ContainsFunc(tailaddr.Ranges(), func(r netip.Prefix) bool { return cidr.Contains(r, p) })
	})
	if i < 0 {
		return
	}

	d.notes.add(NoteTailnetSubnet, "subnet %s lies in the range of tailnets: with a tailnet address the kubelet, and on a control plane etcd, depends on tailscaled, "+
		"and stops with its key or its state; a LAN in that range, behind the NAT of a carrier, is cut off by tailscale unless there is `extra-arg` "+
		"--netfilter-mode=off", positives[i])
}

func (e etcdSubnets) documents(*coreconfig.VersionContract, bool) []config.Document {
	if document := e.subnets.EtcdDocument(); document != nil {
		return []config.Document{document}
	}

	return nil
}

func (e etcdSubnets) additions() feature { return e }

func (e etcdSubnets) deletions() []string {
	if e.subnets.IsEmpty() {
		return nil
	}

	return []string{`cluster:
    etcd:
        advertisedSubnets:
            $patch: delete
`}
}

func (etcdSubnets) owned() []machineconfig.Field {
	return []machineconfig.Field{legacyField("cluster", "etcd", "advertisedSubnets"), legacyField("cluster", "etcd", "subnet")}
}

func (e etcdSubnets) apply(m *merging) error {
	d, _ := m.legacy()

	m.edit.Remove(d, "cluster", "etcd", "subnet") // the older form, which Talos refuses beside the list

	if e.remove {
		m.edit.Remove(d, "cluster", "etcd", "advertisedSubnets")
	} else {
		m.edit.Set(d, e.subnets.Strings(), "cluster", "etcd", "advertisedSubnets")
	}

	return nil
}
