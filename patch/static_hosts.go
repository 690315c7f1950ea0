package patch

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/network"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// staticHost is an address and its names, each once and sorted.
type staticHost struct {
	address netip.Addr
	names   []string
}

func (p *Patch) setStaticHosts(o *options, faults *Faults) {
	if len(o.StaticHosts) == 0 {
		return
	}

	hosts, wrong := newStaticHosts(o.StaticHosts)
	if len(wrong) > 0 {
		*faults = append(*faults, wrong...)

		return
	}

	p.node.hosts = hosts
	p.notes.add(NoteStaticHostsCopy, "static hosts are a copy: a device that is registered anew gets another address, and the patch has to be made again")

	if !contract.StaticHostsForPods(p.contract) {
		p.notes.add(NoteStaticHostsNodeOnly, "static hosts: before Talos 1.14 the node alone knows them, from its /etc/hosts; for pods, use the resolver of "+
			"MagicDNS, or a stub zone in CoreDNS")

		return
	}

	for _, family := range []struct {
		name string
		is   func(netip.Addr) bool
	}{{"IPv4", netip.Addr.Is4}, {"IPv6", netip.Addr.Is6}} {
		if missing := namesWithout(hosts, family.is); len(missing) > 0 {
			p.notes.add(NoteStaticHostsFamily, "static hosts without an %s address: %s; where the nameservers deny the name, pods with musl "+
				"(Alpine) do not find it at all: add the address", family.name, strings.Join(missing, ", "))
		}
	}
}

// newStaticHosts checks names and addresses and sorts them by address.
func newStaticHosts(given map[string][]string) ([]staticHost, Faults) {
	const option = "static-host"

	var faults Faults

	names := map[netip.Addr][]string{}

	for _, text := range sortedKeys(given) {
		name := canonicalName(text)

		if reason := checkStaticName(name); reason != "" {
			faults.add(CodeInvalid, option, "`static-host` %s %s", quote.Value(text), reason)

			continue
		}

		if len(given[text]) == 0 {
			faults.add(CodeInvalid, option, "`static-host` %s has no address: write %s=100.82.13.87", name, name)
		}

		for _, text := range given[text] {
			address, reason := parseHostAddress(text)
			if reason != "" {
				faults.add(CodeInvalid, option, "`static-host` %s: %s %s: write one such as 100.82.13.87", name, quote.Value(text), reason)

				continue
			}

			if !slices.Contains(names[address], name) {
				names[address] = append(names[address], name)
			}
		}
	}

	if len(faults) > 0 {
		return nil, faults
	}

	var hosts []staticHost

	for _, address := range slices.SortedFunc(maps.Keys(names), netip.Addr.Compare) {
		hosts = append(hosts, staticHost{address, slices.Sorted(slices.Values(names[address]))})
	}

	return hosts, nil
}

// canonicalName is a name as the DNS server of Talos compares it.
func canonicalName(name string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
}

// checkStaticName says what is wrong with the name of a static host, or returns "". Talos checks none, and compares a
// question with whole names.
func checkStaticName(name string) string {
	const example = "write a name such as vault.tail1234.ts.net"

	_, err := netip.ParseAddr(name)

	switch reason := containerboot.CheckHostname(name); {
	case secret.Looks(name):
		return "looks like a key: " + example
	case err == nil:
		return "is an address: write the name before it, as in vault.tail1234.ts.net=100.82.13.87"
	case strings.Contains(name, "*"):
		return "has a wildcard, and Talos finds whole names only: give each name"
	case name == "localhost":
		return "is the node itself: leave it out"
	case reason != "":
		return reason + ": " + example
	}

	return ""
}

// parseHostAddress reads the address of another machine, or says what is wrong with it.
func parseHostAddress(text string) (address netip.Addr, reason string) {
	address, err := netip.ParseAddr(strings.TrimSpace(text))

	switch {
	case err != nil:
		return address, "is not an IP address"
	case address.Zone() != "":
		return address, "names an interface (zone), which other machines do not have"
	case address.Is4In6():
		return address, "is IPv4 written as IPv6"
	case address.IsUnspecified(), address.IsLoopback(), address.IsMulticast(), address.IsLinkLocalUnicast():
		return address, "is not the address of another machine"
	}

	return address, ""
}

// namesWithout returns the names, sorted, that have no address of a family.
func namesWithout(hosts []staticHost, isFamily func(netip.Addr) bool) []string {
	has := map[string]bool{}

	for _, host := range hosts {
		for _, name := range host.names {
			has[name] = has[name] || isFamily(host.address)
		}
	}

	maps.DeleteFunc(has, func(_ string, has bool) bool { return has })

	return sortedKeys(has)
}

func staticHostDocuments(version *coreconfig.VersionContract, hosts []staticHost) []config.Document {
	if !contract.StaticHostConfig(version) {
		return nil
	}

	var documents []config.Document

	for _, host := range hosts {
		document := network.NewStaticHostConfigV1Alpha1(host.address.String())
		document.Hostnames = slices.Clone(host.names)
		documents = append(documents, document)
	}

	return documents
}

func staticHostFragment(version *coreconfig.VersionContract, hosts []staticHost) *v1alpha1.MachineConfig {
	if contract.StaticHostConfig(version) || len(hosts) == 0 {
		return nil
	}

	fragment := &v1alpha1.NetworkConfig{}

	for _, host := range hosts {
		fragment.ExtraHostEntries = append(fragment.ExtraHostEntries, &v1alpha1.ExtraHost{
			HostIP: host.address.String(), HostAliases: slices.Clone(host.names),
		})
	}

	return &v1alpha1.MachineConfig{MachineNetwork: fragment}
}
