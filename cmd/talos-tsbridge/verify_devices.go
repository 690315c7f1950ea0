package main

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/spf13/pflag"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/devices"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
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
	flags.StringVar(&f.advertiseTags, "advertise-tags", "", "tags that they should have, a comma-separated `list` (default: those of --patch)")
}

// lookUp asks the Tailscale API about the nodes of the report, and adds what it says.
func (p *program) lookUp(ctx context.Context, flags *verifyFlags, wanted *nodes.Wanted, report *verifyReport) error {
	expected, err := flags.expected(report.Nodes, wanted)

	minter, credentialErr := mint.FromEnv(p.environment.lookup)
	if credentialErr != nil {
		credentialErr = exitError{credentialErr, exitUnseen}
	}

	if err := errors.Join(err, credentialErr); err != nil {
		return err
	}

	report.Tailnet, err = devices.Fetch(ctx, minter, mint.DefaultDescription)
	if err != nil {
		return exitError{err, exitUnseen}
	}

	all := report.Tailnet.Devices
	report.Findings = verify.Merge(append(report.Findings, devices.Diagnose(report.Tailnet, expected, time.Now())...))
	report.Tailnet.Devices = devices.Matching(all, expected)

	return nil
}

// expected returns the devices that the nodes and the names given should be.
func (f *deviceFlags) expected(seen []nodes.Node, wanted *nodes.Wanted) ([]devices.Expected, error) {
	var (
		tags []string
		err  error
	)

	if f.advertiseTags != "" {
		if tags, err = tailaddr.ParseTags([]string{f.advertiseTags}); err != nil {
			return nil, usagef("advertise-tags: %w", err)
		}
	} else if wanted != nil {
		tags = wanted.Tags()
	}

	var expected []devices.Expected

	for _, node := range seen {
		if node.Failure == "" {
			expected = append(expected, devices.Expected{Name: cmp.Or(node.Hostname(), node.Address), Addresses: node.TailnetAddresses, Tags: tags})
		}
	}

	for _, name := range f.devices {
		expected = append(expected, devices.Expected{Name: name, Tags: tags})
	}

	return expected, nil
}
