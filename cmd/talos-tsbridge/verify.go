package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
	"github.com/talos-tsbridge/talos-tsbridge/verify/report"
)

const verifyDescription = `Finds out whether the tailnet is reached from here, and says for each failure what its cause is and what to do next.

Targets are
  tcp://HOST:PORT            a connection is opened
  https://NAME:PORT/PATH@IP  a request for NAME (SNI and Host) to IP, as curl --resolve; without @IP to where NAME is
  dns://NAME@SERVER          the addresses of NAME; without @SERVER by the system's resolver
  tailnet://NAME             NAME has a tailnet address, and the system's resolver and MagicDNS agree on it
  talos://NAME, kube://NAME  the API is reached (port 50000, 6443, or NAME:PORT), and its certificate is for NAME

With --nodes, Talos nodes are asked through the Talos API: whether the extension is in the image, configured and running, has
a tailnet address, and has left the node IP and etcd alone. With --api, they are looked up in the tailnet, and auth keys that
were left behind are told.

The results go to standard output. The exit code is 0 when all is well, 1 when something is wrong, 2 for wrong usage, and 3
when something could not be looked at.`

const verifyExamples = `  talos-tsbridge verify --manifest tcp://100.82.13.87:8200 | kubectl apply -f -
  talos-tsbridge verify tcp://100.82.13.87:8200 \
    https://vault.example.ts.net:8200/v1/sys/health@100.82.13.87 tailnet://vault.example.ts.net
  talos-tsbridge verify --wait 2m tcp://100.82.13.87:8200
  talos-tsbridge verify --nodes 192.168.1.10,192.168.1.11 --patch patch.yaml --api`

func (p *program) verifyCommand() *cobra.Command {
	flags := &verifyFlags{}

	cmd := &cobra.Command{
		Use:     "verify [flags] [TARGET...]",
		Short:   "Find out whether the tailnet is reached, and what is missing",
		Long:    verifyDescription,
		Example: verifyExamples,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.verify(cmd.Context(), flags, cmd.Flags(), args)
		},
	}

	flags.bind(cmd)

	return cmd
}

func (p *program) verify(ctx context.Context, flags *verifyFlags, given *pflag.FlagSet, args []string) error {
	checker, err := p.checker(ctx, flags)
	targets, targetsErr := verify.ParseTargets(args...)

	if targetsErr != nil {
		targetsErr = usageError{targetsErr}
	}

	if err := errors.Join(checkRanges(given), err, targetsErr, flags.check(given, args)); err != nil {
		return err
	}

	wanted, err := p.wanted(ctx, flags)
	if err != nil {
		return err
	}

	if flags.manifest {
		return p.printManifest(ctx, flags, targets, checker.MagicDNS)
	}

	also, err := p.readResults(ctx, flags.also)
	if err != nil {
		return err
	}

	// when the user ends the wait, ctx ends, and what is known by then is printed
	progress := p.newProgress(flags, targets)
	checker.OnAttempt = progress.attempt

	check := &report.Check{Checker: checker, Targets: targets, Also: also, Wanted: wanted, Wait: flags.wait}

	var bridge *bridgeCheck

	if flags.file != "" {
		if bridge, err = p.newBridgeCheck(ctx, flags.file, &flags.talosFlags); err != nil {
			return err
		}
	}

	if flags.looksAtNodes() {
		talos, err := flags.connect(ctx)
		if err != nil {
			return err
		}

		defer func() { _ = talos.Close() }() // nothing is lost with it

		progress.allNodes = len(talos.Nodes)
		check.Nodes = talos.Nodes
		check.Inspector = &nodes.Inspector{Client: talos.Client, Timeout: flags.timeout, OnNode: progress.node}
	}

	if flags.api {
		if err := p.lookUp(flags, check); err != nil {
			return err
		}
	}

	found, err := check.Run(ctx)
	progress.end()

	if err != nil {
		return exitError{err, exitUnseen}
	}

	if check.Inspector != nil {
		flags.addVersions(ctx, found.Results)
	}

	drift, err := bridge.findings(ctx)
	if err != nil {
		return err
	}

	found.Findings = verify.Merge(append(found.Findings, drift...))

	if err := p.writeReport(ctx, flags.output, found); err != nil {
		return err
	}

	return failureOf(found)
}

// readResults reads the results in reports of other runs.
func (p *program) readResults(ctx context.Context, files []string) ([]verify.Result, error) {
	var results []verify.Result

	for _, file := range files {
		text, err := p.readInput(ctx, "--also", file)
		if err != nil {
			return nil, unseen(err)
		}

		read, err := report.Read(text)
		if err != nil {
			return nil, usagef("--also %s: %w", quote.Value(file), err)
		}

		results = append(results, read...)
	}

	return results, nil
}

// newProgress returns what tells a person at a terminal what is waited for; on anything else it is silent.
func (p *program) newProgress(flags *verifyFlags, targets []verify.Target) *progress {
	if flags.quiet || !p.redraws() {
		return &progress{out: io.Discard}
	}

	return &progress{out: p.stderr, total: len(targets), until: time.Now().Add(flags.wait), outcomes: map[string]verify.Outcome{}}
}
