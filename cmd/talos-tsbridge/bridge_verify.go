package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

// bridgeCheck holds nodes against a bridge file as up does, and changes nothing.
type bridgeCheck struct {
	plan *fleetPlan
	up   *fleet.Up
}

func (f *bridgeFlags) bindVerify(flags *pflag.FlagSet) {
	flags.VarP(&onceFlag{value: &f.file, instead: onceFile}, "file", "f", "hold the nodes of this bridge `file` against it, as talos-tsbridge up --dry-run does")
}

// newBridgeCheck reads the file. The nodes that are asked are those of the file, or of them those that --nodes names.
func (p *program) newBridgeCheck(ctx context.Context, path string, talos *talosFlags) (*bridgeCheck, error) {
	file, err := p.loadBridge(ctx, path)
	if err != nil {
		return nil, err
	}

	only, err := onlyOf(file, path, talos.nodes)
	if err != nil {
		return nil, err
	}

	settings := &patchFlags{authKey: authkey.None().String()}
	settings.quiet = true

	plan, err := p.planOf(ctx, file, settings, pflag.NewFlagSet("", pflag.ContinueOnError), fleet.PlanOptions{Only: only, NeedsAddress: true}, true)
	if err != nil {
		return nil, err
	}

	talos.nodes = nil
	for i := range plan.Len() {
		talos.nodes = append(talos.nodes, plan.Node(i).Address)
	}

	names := &upFlags{}
	names.dryRun = true

	return &bridgeCheck{plan: plan, up: &fleet.Up{
		Connection: talos.connection(nil), DryRun: true,
		BeforeLogin: p.newLoginCheck(ctx, names, plan).beforeLogin,
	}}, nil
}

// findings tells where the nodes are not as the file says. Those that cannot be asked are told by who asks them.
func (c *bridgeCheck) findings(ctx context.Context) ([]verify.Finding, error) {
	if c == nil {
		return nil, nil
	}

	report, err := c.up.Run(ctx, c.plan.Plan)
	if report == nil {
		return nil, exitError{err, exitUnseen}
	}

	var findings []verify.Finding

	for _, node := range report.Nodes {
		subjects := []string{fmt.Sprintf("%s (%s)", node.Address, node.Node)}

		switch node.Outcome {
		case fleet.OutcomePlanned:
			findings = append(findings, verify.Finding{
				Code: nodes.CodeDrift, Severity: verify.SeverityFault, Subjects: subjects,
				Cause: "the node is not as the bridge file says: " + strings.Join(node.Says, "; "),
				Next:  []string{"bring it there: talos-tsbridge up --nodes " + node.Node + ", or look first with --dry-run --diff"},
			})
		case fleet.OutcomeFailed:
			findings = append(findings, verify.Finding{
				Code: verify.Code(node.Code), Severity: verify.SeverityFault, Subjects: subjects, Cause: node.Cause, Next: append([]string{}, node.Next...),
			})
		case fleet.OutcomeAsWanted, fleet.OutcomeDone, fleet.OutcomeNotBegun, fleet.OutcomeUnknown:
		}
	}

	return findings, nil
}

// looksAtNodes reports whether any flag asks for it.
func (f *verifyFlags) looksAtNodes() bool { return f.file != "" || f.talosFlags.looksAtNodes() }
