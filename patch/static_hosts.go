package patch

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/siderolabs/go-pointer"
	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/network"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// WithStaticHost gives a name to addresses, such as those of a device in the tailnet, for the node and, from Talos 1.14 on,
// for pods. A name may be given several times, its addresses add up. Default: none.
//
// The node that answers a pod is the one that CoreDNS runs on, so every node needs the same static hosts.
// Give the IPv4 and the IPv6 address: the node asks its nameservers for the one that is missing, and where those deny the
// name, pods with musl (Alpine) take that for an answer to both. The addresses are a copy, and stale once the device is
// registered anew.
func WithStaticHost(name string, addresses ...string) Option {
	return func(o *options) {
		put(&o.StaticHosts, name, slices.Concat(o.StaticHosts[name], addresses))
	}
}

// staticHosts are names for addresses, sorted by address.
type staticHosts []staticHost

var _ feature = staticHosts{}

// staticHost is an address and its names, each once and sorted.
type staticHost struct {
	address netip.Addr
	names   []string
}

func newStaticHosts(d *draft) feature {
	if len(d.StaticHosts) == 0 {
		return nil
	}

	hosts, wrong := d.parseStaticHosts()
	if len(wrong) > 0 {
		d.faults = append(d.faults, wrong...)

		return nil
	}

	d.notes.add(NoteStaticHostsCopy, "static hosts are a copy: a device that is registered anew gets another address, and the patch has to be made again")

	if !contract.StaticHostsForPods(d.contract) {
		d.notes.add(NoteStaticHostsNodeOnly, "static hosts: pods see them where the node runs Talos 1.14 or newer, whatever the contract of its config; an older "+
			"release puts them into the /etc/hosts of the node alone: there, use the resolver of MagicDNS, or a stub zone in CoreDNS")

		return hosts
	}

	for _, family := range []struct {
		name string
		is   func(netip.Addr) bool
	}{{"IPv4", netip.Addr.Is4}, {"IPv6", netip.Addr.Is6}} {
		if missing := namesWithout(hosts, family.is); len(missing) > 0 {
			d.notes.add(NoteStaticHostsFamily, "static hosts without an %s address: %s; where the nameservers deny the name, pods with musl "+
				"(Alpine) do not find it at all: add the address", family.name, strings.Join(missing, ", "))
		}
	}

	return hosts
}

// parseStaticHosts checks names and addresses and sorts them by address.
func (o *options) parseStaticHosts() (staticHosts, Faults) {
	const option = "static-host"

	var faults Faults

	names := map[netip.Addr][]string{}

	for _, text := range sortedKeys(o.StaticHosts) {
		name := canonicalName(text)

		if template, ok := o.placeholder(&faults, option, text); ok {
			name = template
		} else if reason := checkStaticName(name); reason != "" {
			faults.add(CodeInvalid, option, "`static-host` %s %s", quote.Value(text), reason)

			continue
		}

		if len(o.StaticHosts[text]) == 0 {
			faults.add(CodeInvalid, option, "`static-host` %s has no address: write %s=100.82.13.87", name, name)
		}

		for _, text := range o.StaticHosts[text] {
			address, reason := parseHostAddress(text)
			if template, ok := o.placeholder(&faults, option, text); ok {
				address = addressTemplate(template)
			} else if reason != "" {
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

	var hosts staticHosts

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
func namesWithout(hosts staticHosts, isFamily func(netip.Addr) bool) []string {
	has := map[string]bool{}

	for _, host := range hosts {
		for _, name := range host.names {
			has[name] = has[name] || isFamily(host.address) || isTemplate(host.address)
		}
	}

	maps.DeleteFunc(has, func(_ string, has bool) bool { return has })

	return sortedKeys(has)
}

func (h staticHosts) documents(version *coreconfig.VersionContract, _ bool) []config.Document {
	if !contract.StaticHostConfig(version) {
		fragment := &v1alpha1.NetworkConfig{}

		for _, host := range h {
			fragment.ExtraHostEntries = append(fragment.ExtraHostEntries, legacyStaticHost(host.address, slices.Clone(host.names)))
		}

		return machineFragment(&v1alpha1.MachineConfig{MachineNetwork: fragment})
	}

	var documents []config.Document

	for _, host := range h {
		documents = append(documents, staticHostDocument(host.address, slices.Clone(host.names)))
	}

	return documents
}

func staticHostDocument(address netip.Addr, names []string) *network.StaticHostConfigV1Alpha1 {
	document := network.NewStaticHostConfigV1Alpha1(addressText(address))
	document.Hostnames = names

	return document
}

func legacyStaticHost(address netip.Addr, names []string) *v1alpha1.ExtraHost {
	return &v1alpha1.ExtraHost{HostIP: addressText(address), HostAliases: names}
}

func (h staticHosts) deletions() []string {
	var documents []string

	for _, host := range h {
		documents = append(documents, `apiVersion: v1alpha1
kind: StaticHostConfig
name: `+quotedAddress(host.address)+`
$patch: delete
`)
	}

	return documents
}

// quotedAddress quotes an address, as an IPv6 one may look like something else to YAML, and writes a placeholder as it is.
func quotedAddress(address netip.Addr) string {
	switch text := addressText(address); {
	case !strings.ContainsAny(text, `"\`):
		return `"` + text + `"`
	case !strings.Contains(text, "'"):
		return "'" + text + "'"
	default:
		return "|-\n    " + text
	}
}

func (staticHosts) owned() []machineconfig.Field {
	return []machineconfig.Field{
		wholeDocument(network.StaticHostKind, "*"),
		legacyField("machine", "network", "extraHostEntries"),
	}
}

// apply gives each name the given addresses and no others, in documents and in machine.network.extraHostEntries,
// wherever the config has it. Documents and entries that lose their last name go; names that are not given stay.
func (h staticHosts) apply(m *merging) error {
	wanted := map[netip.Addr][]string{}
	given := map[string]bool{}

	for _, host := range h {
		wanted[host.address] = slices.Clone(host.names)

		for _, name := range host.names {
			given[name] = true
		}
	}

	// names returns what becomes of the names of an address, and takes from the wanted ones what is there now.
	names := func(text string, earlier []string, more bool) []string {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return earlier
		}

		missing := wanted[address]

		kept := slices.DeleteFunc(slices.Clone(earlier), func(name string) bool {
			canonical := canonicalName(name)
			isWanted := slices.Contains(missing, canonical)
			missing = slices.DeleteFunc(slices.Clone(missing), func(m string) bool { return m == canonical })

			return given[canonical] && !isWanted
		})

		if more {
			kept, missing = append(kept, missing...), nil
		}

		if wanted[address] = missing; len(missing) == 0 {
			delete(wanted, address)
		}

		return kept
	}

	inDocuments := contract.StaticHostConfig(m.contract)

	applyHostEntries(m, func(ip string, aliases []string) []string { return names(ip, aliases, !inDocuments) })

	for _, d := range m.config.file.Documents() {
		typed, ok := m.config.loaded.documents[d].(*network.StaticHostConfigV1Alpha1)
		if !ok || d.Directive {
			continue
		}

		switch kept := names(typed.Name(), typed.Hostnames, true); {
		case len(kept) == 0:
			m.edit.RemoveDocument(d)
		case !slices.Equal(kept, typed.Hostnames):
			m.edit.Set(d, kept, "hostnames")
		}
	}

	return addStaticHosts(m, wanted)
}

// applyHostEntries changes the entries of the v1alpha1 config.
func applyHostEntries(m *merging, names func(ip string, aliases []string) []string) {
	d, machine := m.legacy()
	entries := pointer.SafeDeref(machine.MachineNetwork).ExtraHostEntries
	path := []any{"machine", "network", "extraHostEntries"}

	for i, entry := range entries {
		if entry == nil {
			continue
		}

		switch kept := names(entry.HostIP, entry.HostAliases); {
		case len(kept) == 0:
			m.edit.Remove(d, append(slices.Clone(path), i)...)
		case !slices.Equal(kept, entry.HostAliases):
			m.edit.Set(d, kept, append(slices.Clone(path), i, "aliases")...)
		}
	}
}

// addStaticHosts adds the addresses that the config does not have.
func addStaticHosts(m *merging, wanted map[netip.Addr][]string) error {
	d, _ := m.legacy()

	for _, address := range slices.SortedFunc(maps.Keys(wanted), netip.Addr.Compare) {
		if !contract.StaticHostConfig(m.contract) {
			m.edit.Append(d, legacyStaticHost(address, wanted[address]), "machine", "network", "extraHostEntries")
		} else if err := m.add(staticHostDocument(address, wanted[address])); err != nil {
			return err
		}
	}

	return nil
}
