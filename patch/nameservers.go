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

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

// magicDNSByResolver is the one way in which names of the tailnet become known to a node all at once.
const magicDNSByResolver = "resolver"

func (p *Patch) setNameservers(o *options, faults *Faults) {
	switch way := pointer.SafeDeref(o.MagicDNS); {
	case way == "" && len(o.Nameservers) > 0:
		faults.add(CodeMissing, "magicdns", "`nameserver` is for the resolver of MagicDNS, which is asked first: set `magicdns` to resolver")

		return
	case way == "":
		return
	case way != magicDNSByResolver:
		faults.add(CodeInvalid, "magicdns", "`magicdns` %s is unknown: write resolver", quote.Value(way))

		return
	}

	if pointer.SafeDeref(o.AcceptDNS) {
		faults.add(CodeConflict, "magicdns", "the resolver of `magicdns` and `accept-dns` exclude each other: with `accept-dns` the resolver asks the "+
			"node's nameservers, of which it is one")
	}

	if pointer.SafeDeref(o.Userspace) {
		faults.add(CodeConflict, "magicdns", "the resolver of `magicdns` does not work with `userspace`: leave one of them out")
	}

	nameservers, wrong := o.parseNameservers()
	*faults = append(*faults, wrong...)
	p.node.nameservers = append([]netip.Addr{tailaddr.MagicDNS4()}, nameservers...)
	p.notes.add(NoteMagicDNSFirst, "the resolver of MagicDNS is asked first: while tailscaled does not run, at boot above all, every name that is not "+
		"in the cache takes 2 s longer")
}

// parseNameservers reads the nameservers that answer for the rest of the world.
func (o *options) parseNameservers() ([]netip.Addr, Faults) {
	const option = "nameserver"

	var (
		nameservers []netip.Addr
		faults      Faults
		outside     bool
	)

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

func nameserverDocuments(version *coreconfig.VersionContract, nameservers []netip.Addr) []config.Document {
	if !contract.ResolverConfig(version) || len(nameservers) == 0 {
		return nil
	}

	document := network.NewResolverConfigV1Alpha1()

	for _, nameserver := range nameservers {
		document.ResolverNameservers = append(document.ResolverNameservers, network.NameserverConfig{Address: meta.Addr{Addr: nameserver}})
	}

	return []config.Document{document}
}

func nameserverFragment(version *coreconfig.VersionContract, nameservers []netip.Addr) *v1alpha1.MachineConfig {
	if contract.ResolverConfig(version) || len(nameservers) == 0 {
		return nil
	}

	fragment := &v1alpha1.NetworkConfig{}

	for _, nameserver := range nameservers {
		fragment.NameServers = append(fragment.NameServers, addressText(nameserver))
	}

	return &v1alpha1.MachineConfig{MachineNetwork: fragment}
}
