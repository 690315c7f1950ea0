package patch

import (
	"net/netip"
	"slices"

	"github.com/siderolabs/go-pointer"
	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/meta"
	"github.com/siderolabs/talos/pkg/machinery/config/types/network"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

// magicDNSByResolver is the one way in which names of the tailnet become known to a node all at once.
const magicDNSByResolver = "resolver"

// WithMagicDNSResolver makes the node, and with it its pods, ask the resolver of the tailnet (100.100.100.100) first, and
// then the given nameservers, at least one. They replace those that the node gets by DHCP. Default: the nameservers are
// left alone.
//
// The resolver answers for names of the tailnet and fails for all others, so each of those costs one question more; while
// tailscaled does not run, at boot above all, it costs the two seconds after which Talos gives up on a nameserver.
func WithMagicDNSResolver(nameservers ...string) Option {
	return func(o *options) {
		o.MagicDNS = pointer.To(magicDNSByResolver)
		add(&o.Nameservers, nameservers...)
	}
}

// nameservers are asked one after the other, the resolver of MagicDNS first.
type nameservers []netip.Addr

var _ feature = nameservers{}

func newNameservers(d *draft) feature {
	switch way := pointer.SafeDeref(d.MagicDNS); {
	case way == "" && len(d.Nameservers) > 0:
		d.faults.add(CodeMissing, "magicdns", "`nameserver` is for the resolver of MagicDNS, which is asked first: set `magicdns` to resolver")

		return nil
	case way == "":
		return nil
	case way != magicDNSByResolver:
		d.faults.add(CodeInvalid, "magicdns", "`magicdns` %s is unknown: write resolver", quote.Value(way))

		return nil
	}

	// given, or kept
	environment := d.service.environment
	arguments, _ := environment.UpArguments()

	if environment.Bool("TS_ACCEPT_DNS", false) || containerboot.IsTrue(arguments, "accept-dns") {
		d.faults.add(CodeConflict, "magicdns", "the resolver of `magicdns` and `accept-dns` exclude each other: with `accept-dns` the resolver asks the "+
			"node's nameservers, of which it is one")
	}

	if environment.Userspace() {
		d.faults.add(CodeConflict, "magicdns", "the resolver of `magicdns` does not work with `userspace`: leave one of them out")
	}

	given, wrong := d.parseNameservers()
	d.faults = append(d.faults, wrong...)
	d.notes.add(NoteMagicDNSFirst, "the resolver of MagicDNS is asked first: while tailscaled does not run, at boot above all, every name that is not "+
		"in the cache takes 2 s longer")

	return append(nameservers{tailaddr.MagicDNS4()}, given...)
}

// parseNameservers reads the nameservers that answer for the rest of the world.
func (o *options) parseNameservers() ([]netip.Addr, Faults) {
	const option = "nameserver"

	var (
		nameservers []netip.Addr
		faults      Faults
		outside     bool
	)

	if kept := o.target.otherNameservers(); len(o.Nameservers) == 0 && len(kept) > 0 {
		return kept, nil
	}

	if len(o.Nameservers) == 0 {
		faults.add(CodeMissing, option, "the resolver of `magicdns` needs a nameserver for all other names, since those of DHCP are replaced: set `nameserver` "+
			"to that of your LAN")

		return nil, faults
	}

	for _, text := range o.Nameservers {
		address, reason := parseHostAddress(text)
		if template, ok := o.placeholder(&faults, option, text); ok {
			address, reason = addressTemplate(template), ""
		}

		switch {
		case reason != "":
			faults.add(CodeInvalid, option, "`nameserver` %s %s: write one such as 192.168.1.1", quote.Value(text), reason)

			continue
		case address == tailaddr.MagicDNS4():
			faults.add(CodeDuplicate, option, "`nameserver` %s is the resolver of MagicDNS, which comes first anyway: leave it out", address)

			continue
		}

		outside = outside || !tailaddr.Contains(address)

		if !slices.Contains(nameservers, address) {
			nameservers = append(nameservers, address)
		}
	}

	if len(faults) == 0 && !outside {
		faults.add(CodeMissing, option, "every `nameserver` is in the tailnet, which the node needs a nameserver to join: add one that works without it")
	}

	return nameservers, faults
}

// otherNameservers are those that the config has besides the resolver of MagicDNS. It is for a nil config too.
func (c *Config) otherNameservers() []netip.Addr {
	if c == nil {
		return nil
	}

	resolver := c.loaded.provider.NetworkResolverConfig()
	if resolver == nil {
		return nil
	}

	var others []netip.Addr

	for _, nameserver := range resolver.Resolvers() {
		if nameserver.Addr != tailaddr.MagicDNS4() {
			others = append(others, nameserver.Addr)
		}
	}

	return others
}

func (n nameservers) document() *network.ResolverConfigV1Alpha1 {
	document := network.NewResolverConfigV1Alpha1()

	for _, nameserver := range n {
		document.ResolverNameservers = append(document.ResolverNameservers, network.NameserverConfig{Address: meta.Addr{Addr: nameserver}})
	}

	return document
}

func (n nameservers) texts() []string {
	texts := make([]string, 0, len(n))
	for _, nameserver := range n {
		texts = append(texts, addressText(nameserver))
	}

	return texts
}

func (n nameservers) documents(version *coreconfig.VersionContract, _ bool) []config.Document {
	if contract.ResolverConfig(version) {
		return []config.Document{n.document()}
	}

	return machineFragment(&v1alpha1.MachineConfig{MachineNetwork: &v1alpha1.NetworkConfig{NameServers: n.texts()}})
}

func (nameservers) deletions() []string {
	return []string{`apiVersion: v1alpha1
kind: ResolverConfig
nameservers:
    $patch: delete
`}
}

func (nameservers) owned() []machineconfig.Field {
	return []machineconfig.Field{
		documentField(network.ResolverKind, "nameservers"),
		legacyField("machine", "network", "nameservers"),
	}
}

// apply sets the list where the config has that of the resolver: the newer form beside the older one would be refused.
func (n nameservers) apply(m *merging) error {
	if contract.ResolverConfig(m.contract) && !m.config.hasLegacyNameservers() {
		theirs, err := findDocument[*network.ResolverConfigV1Alpha1](m, network.ResolverKind, "")
		if err != nil {
			return err
		}

		ours := n.document()

		for i, nameserver := range ours.ResolverNameservers { // how one is asked, such as over TLS, stays
			for _, earlier := range pointer.SafeDeref(theirs).ResolverNameservers {
				if earlier.Address == nameserver.Address {
					ours.ResolverNameservers[i] = earlier
				}
			}
		}

		return setField(m, ours, func(c *network.ResolverConfigV1Alpha1) any { return c.ResolverNameservers }, "nameservers")
	}

	d, machine := m.legacy()
	m.set(d, pointer.SafeDeref(machine.MachineNetwork).NameServers, n.texts(), "machine", "network", "nameservers")

	return nil
}
