package main

import (
	"cmp"
	"context"
	"errors"
	"net/netip"

	"github.com/spf13/pflag"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
	"github.com/talos-tsbridge/talos-tsbridge/verify/devices"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
	"github.com/talos-tsbridge/talos-tsbridge/verify/report"
)

// deviceFlags are the flags of verify that are about the Tailscale API.
type deviceFlags struct {
	api           bool
	devices       []string
	advertiseTags string
}

func (f *deviceFlags) bindDevices(flags *pflag.FlagSet) {
	flags.BoolVar(&f.api, "api", false, "look nodes up in the tailnet through the Tailscale API, with the credentials of key mint")
	flags.StringSliceVar(&f.devices, "device", nil, "look up these names too, a comma-separated `list`; those of --nodes are looked up anyway")
	flags.StringVar(&f.advertiseTags, "advertise-tags", "", "tags that they should have, a comma-separated `list` (default: those of --patch, or of the node's own config)")
}

// lookUp makes the check look the nodes up in the tailnet.
func (p *program) lookUp(flags *verifyFlags, check *report.Check) error {
	tags, err := flags.tags(check.Wanted)

	minter, credentialErr := mint.FromEnv(p.environment.lookup)
	if credentialErr != nil {
		credentialErr = exitError{credentialErr, exitUnseen}
	}

	check.LookUp = func(ctx context.Context) (*devices.Tailnet, error) {
		return devices.Fetch(ctx, minter, mint.DefaultDescription)
	}

	var routes []netip.Prefix
	if check.Wanted != nil {
		routes = check.Wanted.Routes()
	}

	check.Expected = func(seen []nodes.Node) []devices.Expected { return flags.expected(seen, tags, routes) }

	return errors.Join(err, credentialErr)
}

// tags returns the tags that devices should have.
func (f *deviceFlags) tags(wanted *nodes.Wanted) ([]string, error) {
	switch {
	case f.advertiseTags != "":
		tags, err := tailaddr.ParseTags([]string{f.advertiseTags})
		if err != nil {
			return nil, usagef("--advertise-tags: %w", err)
		}

		return tags, nil
	case wanted != nil:
		return wanted.Tags(), nil
	default:
		return nil, nil
	}
}

// expected returns the devices that the nodes and the names given should be.
func (f *deviceFlags) expected(seen []nodes.Node, tags []string, routes []netip.Prefix) []devices.Expected {
	var expected []devices.Expected

	for _, node := range seen {
		if node.Failure != "" {
			continue
		}

		device := devices.Expected{Name: cmp.Or(node.Hostname(), node.Address), Addresses: node.TailnetAddresses, Tags: tags, Routes: routes}

		// what nobody says of a node, its own config says
		own := nodes.Wanted{Environment: node.Environment}
		if device.Tags == nil {
			device.Tags = own.Tags()
		}

		if device.Routes == nil {
			device.Routes = own.Routes()
		}

		expected = append(expected, device)
	}

	for _, name := range f.devices {
		expected = append(expected, devices.Expected{Name: name, Tags: tags, Routes: routes})
	}

	return expected
}
