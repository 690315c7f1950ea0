package patch

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/meta"
	"github.com/siderolabs/talos/pkg/machinery/config/types/network"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

func (p *Patch) setNameservers(o *options) error {
	if !o.magicDNSResolver {
		return nil
	}

	var faults []error

	if o.acceptDNS {
		faults = append(faults, errors.New("the resolver of MagicDNS or accept-dns, not both: with accept-dns the resolver asks the node's "+
			"nameservers, of which it is one"))
	}

	if o.userspace {
		faults = append(faults, errors.New("the resolver of MagicDNS does not work with userspace: leave one of them out"))
	}

	nameservers, err := parseNameservers(o.nameservers)
	p.node.nameservers = append([]netip.Addr{tailaddr.MagicDNS4()}, nameservers...)
	p.notes = append(p.notes, "the resolver of MagicDNS is asked first: while tailscaled does not run, at boot above all, every name that is not "+
		"in the cache takes 2 s longer")

	return errors.Join(append(faults, err)...)
}

// parseNameservers reads the nameservers that answer for the rest of the world. Its error joins all faults.
func parseNameservers(texts []string) ([]netip.Addr, error) {
	if len(texts) == 0 {
		return nil, errors.New("the resolver of MagicDNS needs a nameserver for all other names, since those of DHCP are replaced: set nameserver " +
			"to that of your LAN")
	}

	var (
		nameservers []netip.Addr
		faults      []error
		outside     bool
	)

	for _, text := range texts {
		address, reason := parseHostAddress(text)

		switch {
		case reason != "":
			faults = append(faults, fmt.Errorf("nameserver %s %s: write one such as 192.168.1.1", quote.Value(text), reason))

			continue
		case address == tailaddr.MagicDNS4():
			faults = append(faults, fmt.Errorf("nameserver %s is the resolver of MagicDNS, which comes first anyway: leave it out", address))

			continue
		}

		outside = outside || !tailaddr.Contains(address)

		if !slices.Contains(nameservers, address) {
			nameservers = append(nameservers, address)
		}
	}

	if len(faults) == 0 && !outside {
		faults = append(faults, errors.New("all nameservers are in the tailnet, which the node needs a nameserver to join: add one that works without it"))
	}

	return nameservers, errors.Join(faults...)
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
		fragment.NameServers = append(fragment.NameServers, nameserver.String())
	}

	return &v1alpha1.MachineConfig{MachineNetwork: fragment}
}
