package main

import (
	"context"
	"fmt"

	"github.com/siderolabs/go-pointer"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
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
