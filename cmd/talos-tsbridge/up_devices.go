package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/siderolabs/go-pointer"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/devices"
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
			var err error
			if client, err = p.readyClient(ctx, tailnetFlags{flags.key.tailnet, flags.quiet}); err != nil {
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

// deviceCheck holds nodes that are on the tailnet against what the tailnet says of their devices.
type deviceCheck struct {
	client  *tailnet.Client
	devices []tailnet.Device
}

// newDeviceCheck asks the tailnet for its devices.
func (p *program) newDeviceCheck(ctx context.Context, flags *upFlags) (*deviceCheck, error) {
	client, err := p.readyClient(ctx, tailnetFlags{flags.key.tailnet, true})
	if err != nil {
		return nil, err
	}

	c := &deviceCheck{client: client}

	return c, c.look(ctx)
}

func (c *deviceCheck) look(ctx context.Context) (err error) {
	if c.devices, err = c.client.Devices(ctx); err != nil {
		return exitError{err, exitUnseen}
	}

	return nil
}

// lacks returns what of its tags and routes a device does not have: those a login gives it.
func (c *deviceCheck) lacks(_ context.Context, expected devices.Expected) ([]string, error) {
	own := slices.IndexFunc(c.devices, func(device tailnet.Device) bool { return device.HasAny(expected.Addresses) })
	if own < 0 {
		return nil, nil
	}

	var lacks []string

	device := c.devices[own]

	for _, tag := range expected.Tags {
		if !slices.Contains(device.Tags, tag) {
			lacks = append(lacks, tag)
		}
	}

	for _, route := range expected.Routes {
		if !slices.Contains(device.AdvertisedRoutes, route) {
			lacks = append(lacks, "route "+route.String())
		}
	}

	return lacks, nil
}

// findings says what is wrong with the devices of the nodes that are on the tailnet.
func (c *deviceCheck) findings(report *fleet.Report) []verify.Finding {
	var joined []devices.Expected

	for _, node := range report.Nodes {
		if expected, is := node.Device(); is {
			joined = append(joined, expected)
		}
	}

	return devices.Diagnose(&devices.Tailnet{Devices: c.devices}, joined, c.client.Now())
}

// seen is findings once the tailnet has heard of what was done, which takes it a moment.
func (c *deviceCheck) seen(ctx context.Context, flags *upFlags, report *fleet.Report) ([]verify.Finding, error) {
	const times = 4

	findings := c.findings(report)

	for range times {
		if flags.dryRun || report.Count(fleet.OutcomeDone) == 0 {
			break
		}

		select {
		case <-time.After(flags.up.Settle):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}

		if err := c.look(ctx); err != nil {
			return nil, err
		}

		if findings = c.findings(report); verify.Worst(findings) != verify.SeverityFault {
			break
		}
	}

	return findings, nil
}

// foresee tells in a dry run what is wrong with the devices of nodes that joined. That the tailnet cannot be asked is no
// failure of the run.
func (p *program) foresee(ctx context.Context, flags *upFlags, report *fleet.Report) {
	if _, err := tailnet.CredentialFromEnv(p.environment.lookup); !flags.dryRun || flags.api || flags.quiet || errors.Is(err, tailnet.ErrNoCredentials) {
		return
	}

	if !slices.ContainsFunc(report.Nodes, func(node fleet.NodeReport) bool { return len(node.TailnetAddresses) > 0 }) {
		return
	}

	check, err := p.newDeviceCheck(ctx, flags)
	if err != nil {
		p.note("the tailnet was not looked at: " + err.Error())

		return
	}

	// what is wrong with the device of a node that is to be changed, the change may mend
	settled := &fleet.Report{Nodes: slices.Clone(report.Nodes)}
	for i := range settled.Nodes {
		if settled.Nodes[i].Outcome == fleet.OutcomePlanned {
			settled.Nodes[i].TailnetAddresses = nil
		}
	}

	for _, finding := range check.findings(settled) {
		p.note(finding.String())
	}
}
