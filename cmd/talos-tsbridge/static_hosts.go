package main

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/siderolabs/go-pointer"

	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

// lookedUp is the static hosts that were looked up.
type lookedUp struct {
	options []patch.Option
	notes   []string
	// hosts are what the options set.
	hosts map[string][]string
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

func (l *lookedUp) add(name string, addresses []string) {
	if l.hosts == nil {
		l.hosts = map[string][]string{}
	}

	l.hosts[name] = addresses
	l.options = append(l.options, patch.WithStaticHost(name, addresses...))
}

// staticHosts looks up the devices that the flags ask for, by their name in MagicDNS and the short one.
func (p *program) staticHosts(ctx context.Context, flags *patchFlags) (lookedUp, error) {
	if len(flags.staticHostsFrom) == 0 {
		return lookedUp{}, nil
	}

	tags, err := tailaddr.ParseTags(flags.staticHostsFrom)
	if err != nil {
		return lookedUp{}, usageError{fmt.Errorf("static-hosts-from: %w", err)}
	}

	list := strings.Join(tags, ",")

	if flags.dryRun {
		return lookedUp{notes: []string{"dry run: the devices with " + list + " were not looked up, their static hosts are missing"}}, nil
	}

	client, err := tailnet.FromEnv(p.environment.lookup)
	if err != nil {
		return lookedUp{}, usageError{fmt.Errorf("static-hosts-from: %w", err)}
	}

	found, err := client.DevicesTagged(ctx, tags...)
	if err != nil {
		return lookedUp{}, fmt.Errorf("static-hosts-from: %w", err)
	}

	var (
		result  lookedUp
		names   []string
		isWhole = true
		domain  = strings.Trim(pointer.SafeDeref(flags.settings.MagicDNSDomain), ".")
	)

	for _, device := range found {
		addresses := make([]string, 0, len(device.Addresses))
		for _, address := range device.Addresses {
			addresses = append(addresses, address.String())
		}

		name := device.Name
		if !strings.Contains(name, ".") && domain != "" {
			name += "." + domain
		}

		isWhole = isWhole && strings.Contains(name, ".")
		names = append(names, name)
		result.add(name, addresses)

		if short := device.ShortName(); short != "" {
			result.add(short, addresses)
		}
	}

	result.notes = []string{fmt.Sprintf("static hosts of %s: %s; when one of them is registered anew, run talos-tsbridge with --static-hosts-from %s again",
		list, strings.Join(names, ", "), list)}

	if !isWhole {
		result.notes = append(result.notes, "static hosts: the server shows no domain, as Headscale does not, so they have short names alone: "+
			"--magicdns-domain gives them whole ones")
	}

	return result, nil
}
