package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/siderolabs/go-pointer"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
	"github.com/talos-tsbridge/talos-tsbridge/verify/devices"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

// restoreNames gives nodes their names back that are on the tailnet with a number, where --replace-device asks for it.
func (p *program) restoreNames(ctx context.Context, flags *upFlags, plan *fleetPlan, report *fleet.Report) error {
	if !flags.key.replace || flags.dryRun {
		return nil
	}

	var client *tailnet.Client

	for i := range plan.Len() {
		hostname := pointer.SafeDeref(plan.Settings(i).Hostname)
		node := report.Nodes[i]

		if hostname == "" || len(node.TailnetAddresses) == 0 {
			continue
		}

		if client == nil {
			key := flags.key
			key.quiet = flags.quiet

			var err error
			if client, err = p.readyClient(ctx, &key); err != nil {
				return err
			}
		}

		removed, renamed, err := client.RestoreName(ctx, hostname, node.TailnetAddresses)
		p.noteRemoved(flags.quiet, removed)

		if err != nil {
			return fmt.Errorf("node %s does not get its name back: %w", node.Node, err)
		}

		if renamed != nil && !flags.quiet {
			p.note("renamed device " + renamed.String() + " to " + hostname)
		}
	}

	return nil
}

// foresee tells in a dry run what is wrong with the devices of nodes that joined. That the tailnet cannot be asked is no
// failure of the run.
func (p *program) foresee(ctx context.Context, flags *upFlags, plan *fleetPlan, report *fleet.Report) {
	if _, err := tailnet.CredentialFromEnv(p.environment.lookup); !flags.dryRun || flags.quiet || errors.Is(err, tailnet.ErrNoCredentials) {
		return
	}

	var joined []devices.Expected

	for i, node := range report.Nodes {
		if hostname := pointer.SafeDeref(plan.Settings(i).Hostname); len(node.TailnetAddresses) > 0 {
			joined = append(joined, expectedOf(plan, i, hostname, node.TailnetAddresses))
		}
	}

	if len(joined) == 0 {
		return
	}

	key := flags.key
	key.quiet = true

	client, err := p.readyClient(ctx, &key)

	var all []tailnet.Device
	if err == nil {
		all, err = client.Devices(ctx)
	}

	if err != nil {
		p.note("the tailnet was not looked at: " + err.Error())

		return
	}

	for _, finding := range devices.Diagnose(&devices.Tailnet{Devices: all}, joined, client.Now()) {
		p.note(finding.String())
	}
}

// expectedOf is the device that a node of the plan should be.
func expectedOf(plan *fleetPlan, i int, hostname string, addresses []netip.Addr) devices.Expected {
	expected := devices.Expected{Name: hostname, Addresses: addresses}

	made, err := plan.Patch(i, authkey.Key{})
	if err != nil {
		return expected
	}

	text, err := made.Redacted()
	if err != nil {
		return expected
	}

	if wanted, err := nodes.ParseWanted(text); err == nil {
		expected.Tags, expected.Routes = wanted.Tags(), wanted.Routes()
	}

	return expected
}
