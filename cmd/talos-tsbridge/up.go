package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	verifyreport "github.com/talos-tsbridge/talos-tsbridge/verify/report"
)

// upFlags are the flags of up.
type upFlags struct {
	patchFlags
	bridgeFlags
	talosFlags

	up           fleet.Up
	fingerprints []string
	diff         bool
	api          bool
	output       string
}

const upDescription = `Brings nodes to the tailnet and keeps them there, through the Talos API: each node is looked at, and what is not as bridge.yaml
says is changed. A second run finds nothing to do, sends nothing and makes no key.

  on the tailnet and as wanted      nothing is sent
  on the tailnet, a key is left     the key is taken out of its config
  on the tailnet, arguments differ  it logs in again, without a key
  not on the tailnet                it gets a key of its own in Talos's try mode, which writes to no disk, and as soon as it is on
                                    the tailnet the same config without the key is persisted
  waiting for its first config      it is installed with the config that the file names for it, and then joins

What the config of a node has and bridge.yaml does not say, stays: --dry-run tells it, and unset in the file, or --unset, takes it
out. A node that does not come up rolls back by itself. Control planes come first and one at a time; a node that
fails stops the run. The talosconfig is found as talosctl finds it.

The exit code is 0 where all is as wanted or done, or would be in a dry run; 1 where a node failed or was refused; 2 for wrong
usage; 3 where nodes could not be asked and nothing failed.`

const upExamples = `  talos-tsbridge up --dry-run --diff
  talos-tsbridge up
  talos-tsbridge up --nodes 192.168.1.10,192.168.1.11 --advertise-tags tag:k8s --node-ip-subnet 192.168.1.0/24`

func (p *program) upCommand() *cobra.Command {
	flags := &upFlags{}

	cmd := &cobra.Command{
		Use:     "up",
		Short:   "Bring nodes to what bridge.yaml says, through the Talos API",
		Long:    upDescription,
		Example: upExamples,
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.up(cmd.Context(), flags, cmd.Flags()) },
	}

	flags.bindUp(cmd)

	return cmd
}

// bindUp binds what to bring up, how, and then the settings.
func (f *upFlags) bindUp(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false

	f.bindFile(cmd, "the bridge `file` (default "+fleet.DefaultFile+", unless --nodes is given)")
	flags.StringSliceVarP(&f.nodes, "nodes", "n", nil,
		"bring up these nodes, a comma-separated `list` of addresses or of names in the bridge file (default: all of the file)")
	f.bindConnection(flags)
	flags.StringSliceVar(&f.fingerprints, "cert-fingerprint", nil,
		"take only a node with one of these certificate `fingerprints` for one in maintenance mode, as its console shows it")

	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would be done, and change nothing")
	flags.BoolVar(&f.diff, "diff", false, "with --dry-run: show what would change in the machine configs, with secrets redacted")
	flags.BoolVar(&f.api, "api", false, "look the nodes on the tailnet up there too, through the Tailscale API: one whose device lacks tags or routes of its config "+
		"logs in again, and what else is wrong with the devices is told")
	bindParallel(flags, &f.up.Parallel, fleet.DefaultParallel, "`number` of workers to bring up at a time; control planes are one at a time")
	flags.BoolVar(&f.up.ContinueOnError, "continue-on-error", false, "go on with the other nodes where one fails")
	flags.BoolVar(&f.up.KeepKey, "keep-key", false, "leave the key in the config of a node that joins, for nodes that log in at each start")
	flags.BoolVar(&f.up.MoveNodeIP, "move-node-ip", false, "let the address change by which Kubernetes knows a node; it has to be registered anew then")
	bindSpan(flags, &f.up.Wait, "wait", fleet.DefaultWait, "`time` that a node may take to come to the tailnet")
	bindSpan(flags, &f.up.Boot, "boot-timeout", fleet.DefaultBoot, "`time` that a node may take to come back with its first config")
	bindSpan(flags, &f.up.Settle, "settle", fleet.DefaultSettle, "`time` that the service has to run before it counts as one that stays")
	bindForm(cmd, &f.output)
	bindSilent(cmd, &f.quiet)

	f.key.expiry = upKeyExpiry
	f.bindUnset(cmd)
	f.bindSettings(cmd)
	f.key.bindReplace(cmd)
}

// upKeyExpiry is how long a key is good that is used at once.
const upKeyExpiry = 10 * time.Minute

func (p *program) up(ctx context.Context, flags *upFlags, given *pflag.FlagSet) error {
	if err := errors.Join(checkRanges(given), checkForm(flags.output), checkFingerprints(flags.fingerprints)); err != nil {
		return err
	}

	if flags.diff && !flags.dryRun {
		return usagef("--diff shows what would change: give it with --dry-run")
	}

	file, only, err := p.bridge(ctx, flags)
	if err != nil {
		return err
	}

	plan, err := p.planOf(ctx, file, &flags.patchFlags, given, fleet.PlanOptions{Only: only, NeedsAddress: true}, true)
	if err != nil {
		return err
	}

	progress := p.newUpProgress(flags)
	run := flags.run(plan)
	run.OnStage, run.OnNode = progress.stage, progress.node

	if single := plan.checkSingle(); single != nil {
		run.BeforeAny = func(planned *fleet.Report) error { return checkJoining(planned, single) }
	}

	run.BeforeLogin = p.newLoginCheck(ctx, flags, plan).beforeLogin

	var devices *deviceCheck

	if flags.api {
		if devices, err = p.newDeviceCheck(ctx, flags); err != nil {
			return err
		}

		run.Lacks = devices.lacks
	}

	report, err := run.Run(ctx, plan.Plan)

	progress.end()

	if _, ofUsage := errors.AsType[usageError](err); ofUsage {
		return err
	}

	if report == nil {
		return exitError{err, exitUnseen}
	}

	for i := range report.Nodes {
		node := &report.Nodes[i]
		node.Cause = inFlags(node.Cause)

		for i, note := range node.Notes {
			node.Notes[i] = inFlags(note)
		}
	}

	if !flags.quiet {
		p.noteOnNodes(report.Notes(), plan.Len())
	}

	if err == nil {
		p.foresee(ctx, flags, report)
		err = p.restoreNames(ctx, flags, plan, report)
	}

	result := upResult{Report: report}
	if err == nil && devices != nil {
		result.Findings, err = devices.seen(ctx, flags, report)
	}

	if writeErr := p.writeUp(ctx, flags, result); writeErr != nil {
		return errors.Join(err, writeErr)
	}

	if err == nil {
		err = upFailure(report)
	}

	if err == nil && !flags.dryRun {
		err = failureOf(&verifyreport.Report{Findings: result.Findings})
	}

	return err
}

// checkFingerprints refuses what no console shows: such a fingerprint would fit no node.
func checkFingerprints(fingerprints []string) error {
	var faults []error

	for _, text := range fingerprints {
		if sum, err := base64.StdEncoding.DecodeString(text); err != nil || len(sum) != sha256.Size {
			faults = append(faults, usagef("--cert-fingerprint %s is no fingerprint: write what the console of the node shows, which ends in =", quote.Value(text)))
		}
	}

	return errors.Join(faults...)
}

// run returns what brings the nodes of a plan up.
func (f *upFlags) run(plan *fleetPlan) *fleet.Up {
	run := f.up
	run.Connection = f.connection(nil)
	run.Fingerprints, run.Keys, run.DryRun = f.fingerprints, plan.keys, f.dryRun

	return &run
}

// bridge returns the file and the names of the nodes in it that are brought up, none for all. Nodes that the file which is
// there by default does not know are brought up without it.
func (p *program) bridge(ctx context.Context, f *upFlags) (*fleet.File, []string, error) {
	path := cmp.Or(f.file, fleet.DefaultFile)
	file, err := p.loadBridge(ctx, path)

	switch {
	case f.file == "" && errors.Is(err, fs.ErrNotExist) && len(f.nodes) == 0:
		return nil, nil, usagef("there is no %s here: write one with talos-tsbridge init, name one with -f, or name nodes with --nodes", path)
	case f.file == "" && errors.Is(err, fs.ErrNotExist):
		return f.withoutFile()
	case err != nil:
		return nil, nil, err
	}

	names, err := onlyOf(file, path, f.nodes)
	if err != nil && f.file == "" && len(names) == 0 {
		return f.withoutFile()
	}

	return file, names, err
}

func (f *upFlags) withoutFile() (*fleet.File, []string, error) {
	file, err := fleet.ForAddresses(f.nodes...)
	if faults, ok := errors.AsType[fleet.Faults](err); ok {
		named := make([]error, 0, len(faults))
		for _, fault := range faults {
			named = append(named, usagef("--nodes: %s", fault.Message))
		}

		return nil, nil, errors.Join(named...)
	}

	if err != nil {
		return nil, nil, usageError{err}
	}

	return file, nil, nil
}

// checkJoining refuses, before anything is sent, a run in which a key that serves one node would have to serve several: single
// says so.
func checkJoining(planned *fleet.Report, single error) error {
	joining := 0

	for _, node := range planned.Nodes {
		if takesKey(node.Action) {
			joining++
		}
	}

	if joining > 1 {
		return single
	}

	return nil
}

// takesKey reports whether a node needs a key for what is done about it.
func takesKey(action fleet.Action) bool {
	return action == fleet.ActionJoin || action == fleet.ActionInstall
}

// upFailure returns the error of a run that did not bring all nodes up.
func upFailure(report *fleet.Report) error {
	failed, unknown, left := report.Count(fleet.OutcomeFailed), report.Count(fleet.OutcomeUnknown), report.Count(fleet.OutcomeNotBegun)

	switch {
	case failed > 0:
		return fmt.Errorf("%s not as wanted%s", counted(failed, "node is", "nodes are"), notBegun(left))
	case unknown > 0:
		return exitError{fmt.Errorf("%s could not be asked%s", counted(unknown, "node", "nodes"), notBegun(left)), exitUnseen}
	}

	return nil
}

func notBegun(count int) string {
	if count == 0 {
		return ""
	}

	return ", and " + counted(count, "was", "were") + " not begun"
}

// counted writes a number and what it counts.
func counted(count int, one, many string) string {
	if count == 1 {
		return "1 " + one
	}

	return fmt.Sprintf("%d %s", count, many)
}

// upSummary says how it went, in one line.
func upSummary(report *fleet.Report, dryRun bool) string {
	var parts []string

	for _, part := range []struct {
		outcome fleet.Outcome
		what    string
	}{
		{fleet.OutcomeAsWanted, "as wanted"}, {fleet.OutcomeDone, "done"}, {fleet.OutcomePlanned, "to be changed"}, {fleet.OutcomeFailed, "failed"},
		{fleet.OutcomeUnknown, "could not be asked"}, {fleet.OutcomeNotBegun, "not begun"},
	} {
		if count := report.Count(part.outcome); count > 0 {
			text := fmt.Sprintf("%d %s", count, part.what)
			if len(parts) == 0 {
				text = counted(count, "node ", "nodes ") + part.what
			}

			parts = append(parts, text)
		}
	}

	sent, keys := report.Sent()

	switch {
	case sent == 0 && keys == 0 && !dryRun:
		parts = append(parts, "nothing sent", "no key minted")
	case sent == 0 && dryRun:
		parts = append(parts, "nothing sent")
	}

	return strings.Join(parts, ", ")
}
