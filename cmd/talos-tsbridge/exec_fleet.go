package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/spf13/pflag"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/internal/pipes"
)

// execFleet runs the command once for each node of the file.
func (p *program) execFleet(ctx context.Context, flags *patchFlags, given *pflag.FlagSet, path string, parallel int, args []string) error {
	if err := checkExec(flags); err != nil {
		return err
	}

	file, err := p.loadBridge(ctx, path)
	if err != nil {
		return err
	}

	command, err := fleet.NewCommand(args...)
	if err != nil {
		return usageError{err}
	}

	flags, err = flags.forVersionOf(args)
	if err != nil {
		return err
	}

	plan, err := p.planOf(ctx, file, flags, given, fleet.PlanOptions{}, false)
	if err != nil {
		return err
	}

	if err := errors.Join(command.Check(plan.Plan), plan.checkSingle()); err != nil {
		return usageError{err}
	}

	if !strings.Contains(args[0], "{{") {
		if err := pipes.Find(args[0]); err != nil {
			return err
		}
	}

	command.Env, command.Stdout, command.Stderr = p.environment.childEnvironment(), p.stdout, p.stderr
	command.Prefixed = parallel > 1
	command.OnUse = func(node *fleet.Node, use fleet.Use, err error) {
		if note := noteOn(use, plan.keyForOne(node), err != nil); note != "" && (err == nil || !flags.quiet) {
			p.note("node " + node.Name + ": " + note)
		}
	}

	summary, err := fleet.Run(ctx, plan.Plan, command, fleet.RunOptions{
		Keys: plan.keys, Parallel: parallel, OnNode: p.reportExit,
	})
	p.noteOnRun(summary, flags.quiet)

	if exit, ok := errors.AsType[*exec.ExitError](err); ok && context.Cause(ctx) == nil {
		return exitOf(exit)
	}

	return err
}

// reportExit says with which code the command failed for a node, and what else went wrong then.
func (p *program) reportExit(node *fleet.Node, err error) {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return
	}

	for _, one := range lines(err) {
		if _, ok := errors.AsType[*exec.ExitError](one); ok {
			one = exitOf(exit)
		}

		p.say("error", fmt.Sprintf("node %s: %v", node.Name, one))
	}
}
