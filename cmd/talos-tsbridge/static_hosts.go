package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/siderolabs/go-pointer"

	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

// lookedUp is the static hosts that were looked up.
type lookedUp struct {
	hosts map[string][]string
	notes []string
}

// over returns static hosts with those that were looked up beside them; the ones that are given count.
func (l lookedUp) over(given map[string][]string) map[string][]string {
	if len(l.hosts) == 0 {
		return given
	}

	all := maps.Clone(l.hosts)
	maps.Copy(all, given)

	return all
}

// options are the options of a patch with the hosts.
func (l lookedUp) options() []patch.Option {
	var options []patch.Option
	for _, name := range slices.Sorted(maps.Keys(l.hosts)) {
		options = append(options, patch.WithStaticHost(name, l.hosts[name]...))
	}

	return options
}

// staticHosts looks up the devices that the flags ask for, by their name in MagicDNS and the short one.
func (p *program) staticHosts(ctx context.Context, flags *patchFlags) (lookedUp, error) {
	if len(flags.staticHostsFrom) == 0 {
		return lookedUp{}, nil
	}

	tags, err := tailaddr.ParseTags(flags.staticHostsFrom)
	if err != nil {
		return lookedUp{}, usagef("--static-hosts-from: %w", err)
	}

	list := strings.Join(tags, ",")

	if flags.dryRun {
		return lookedUp{notes: []string{"dry run: the devices with " + list + " were not looked up, their static hosts are missing"}}, nil
	}

	client, err := p.readyClient(ctx, tailnetFlags{flags.key.tailnet, flags.quiet})
	if err != nil {
		return lookedUp{}, fmt.Errorf("static hosts of %s: %w", list, err)
	}

	found, err := client.DevicesTagged(ctx, tags...)
	if err != nil {
		return lookedUp{}, fmt.Errorf("static hosts of %s: %w", list, err)
	}

	names := make([]string, 0, len(found))
	for _, device := range found {
		names = append(names, device.Name)
	}

	domain := pointer.SafeDeref(flags.settings.MagicDNSDomain)
	notes := []string{fmt.Sprintf("static hosts of %s: %s; when one of them is registered anew, run talos-tsbridge with --static-hosts-from %s again",
		list, strings.Join(names, ", "), list)}

	if domain == "" && slices.ContainsFunc(names, func(name string) bool { return !strings.Contains(name, ".") }) {
		notes = append(notes, "static hosts: the server shows no domain, as Headscale does not, so they have short names alone: "+
			"--magicdns-domain gives them whole ones")
	}

	return lookedUp{hosts: tailnet.StaticHosts(found, domain), notes: notes}, nil
}
