package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"runtime"
	"syscall"

	"github.com/siderolabs/go-pointer"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/spf13/cobra"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/pipes"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talosctl"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

func (p *program) execCommand() *cobra.Command {
	var (
		flags    = &patchFlags{}
		bridge   bridgeFlags
		parallel int
	)

	cmd := &cobra.Command{
		Use:   "exec [flags] -- COMMAND ARGUMENT...",
		Short: "Run a command with the patch in place of each argument @-",
		Long: `Runs a command, and gives it the patch for each argument @-, also at the end of --FLAG=@-: under a name of /dev/fd, so
that nothing is on a disk, in the arguments or in the environment of the command. On Linux each reader gets the whole
patch; elsewhere the first one does. The variables of keys and of API credentials are taken out of its environment.

The --talos-version of the command is that of the patch, too.

After --config-patch-control-plane the patch has what control planes need beside what every node needs, after
--config-patch-worker what workers do. Where --config-patch @- is there too, they have only what comes on top.

The exit code is that of the command. Where keys are minted, each patch gets one of its own, and it is revoked when the
command fails or does not read it. With --auth-key once, a node that is a device of the tailnet already gets its patch without
a key: the same command can run again.`,
		Example: `  talos-tsbridge exec --advertise-tags tag:k8s -- \
    talosctl gen config mycluster https://192.168.1.10:6443 --config-patch-control-plane @- --config-patch-worker @-
  talos-tsbridge exec -f bridge.yaml -- talosctl apply-config -n {{.Address}} -f {{.Role}}.yaml --config-patch @-`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || cmd.ArgsLenAtDash() != 0 {
				return usagef("%s needs a command after --, such as -- talosctl gen config NAME URL --config-patch @-", cmd.CommandPath())
			}

			return nil
		},
		ValidArgsFunction: p.completeCommand,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkRanges(cmd.Flags()); err != nil {
				return err
			}

			if bridge.file != "" {
				return p.execFleet(cmd.Context(), flags, cmd.Flags(), bridge.file, parallel, args)
			}

			return p.exec(cmd.Context(), flags, args)
		},
	}

	flags.bind(cmd)
	flags.bindBase(cmd)
	flags.key.bindReplace(cmd)
	bridge.bindFile(cmd, "run the command once for each node in this bridge `file`, with the node's {{.Name}}, {{.Address}} and {{.Role}} in its arguments")
	bindParallel(cmd.Flags(), &parallel, 1, "with -f: `number` of nodes to run the command for at a time")

	for _, useless := range []string{"output", "redact"} {
		if err := cmd.Flags().MarkHidden(useless); err != nil {
			panic(err) // the flag does not exist: a mistake in the line above
		}
	}

	return cmd
}

func (p *program) exec(ctx context.Context, flags *patchFlags, args []string) (err error) {
	if err := checkExec(flags); err != nil {
		return err
	}

	places, err := talosctl.Places(args)
	if err != nil {
		return usageError{err}
	}

	flags, err = flags.forVersionOf(args)
	if err != nil {
		return err
	}

	variants := make([][]patch.Option, len(places))
	for i, place := range places {
		variants[i] = flags.optionsAt(place)
	}

	request, err := p.newRequest(ctx, flags, nil, variants...)
	if err != nil {
		return err
	}

	if err := pipes.Find(args[0]); err != nil {
		return err
	}

	leases := make([]fleet.Lease, 0, len(places))

	defer func() { err = releasing(ctx, err, leases...) }()

	payloads := make([]pipes.Payload, len(places))

	for i, place := range places {
		lease, err := request.leaseAt(ctx, place)
		if err != nil {
			return err
		}

		leases = append(leases, lease)

		made, err := request.patch(i, lease.Key())
		if err != nil {
			return err
		}

		payloads[i] = pipes.Payload{Argument: place.Index, Prefix: place.Prefix}
		if payloads[i].Text, err = made.Bytes(); err != nil {
			return err
		}
	}

	uses, err := p.runWith(ctx, args, payloads, flags.authKey == "-")

	for i, use := range uses {
		key := keyForOne(leases[i])
		if places[i].AdditionsOnly {
			key = ""
		}

		if note := noteOn(use, key, err != nil); note != "" && (err == nil || !flags.quiet) {
			p.note(note)
		}

		if err == nil && (use.Readers > 0 || use.Unknown) {
			leases[i].Keep()
		}
	}

	return err
}

// leaseAt returns the key of the patch at a place. A patch that only adds to another has no key in it.
func (r *request) leaseAt(ctx context.Context, place talosctl.Place) (fleet.Lease, error) {
	if place.AdditionsOnly {
		return fleet.GivenKey(r.key, true).Lease(ctx, 0)
	}

	return r.keys.Lease(ctx, 0)
}

// runWith runs the command, with the patches in place of the arguments that stand for them.
func (p *program) runWith(ctx context.Context, args []string, payloads []pipes.Payload, stdinUsed bool) ([]pipes.Use, error) {
	command := &pipes.Command{
		Args: args, Payloads: payloads, Env: p.environment.childEnvironment(), Stdin: p.stdin, Stdout: p.stdout, Stderr: p.stderr, Started: p.passSignals,
	}

	if stdinUsed {
		command.Stdin = nil
	}

	defer p.interrupts.passTo(nil)

	uses, err := command.Run(ctx)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = exitOf(exit)
	}

	return uses, err
}

// passSignals passes signals on to the command. A terminal sends its own to the command itself.
func (p *program) passSignals(command *os.Process) {
	atTerminal := isTerminal(p.stdin)

	p.interrupts.passTo(func(received os.Signal) {
		if !atTerminal || received != os.Interrupt && received != syscall.SIGQUIT {
			_ = command.Signal(received) // it may have ended by now
		}
	})
}

// keyForOne says how to call the key of a lease that registers one node, and "" for any other.
func keyForOne(lease fleet.Lease) string {
	minted, isMinted := lease.(*mintedLease)

	switch {
	case isMinted && !minted.Details().Reusable:
		return "auth key " + minted.ID() + " in it"
	case !isMinted && isForOne(lease.Key()):
		return "the auth key in it, unless it is reusable,"
	}

	return ""
}

// noteOn says what is not as expected of the use of a patch, whose key registers one node if it has a name.
func noteOn(use pipes.Use, key string, failed bool) string {
	switch {
	case use.Unknown:
		return "whether the command read the patch of argument " + use.Argument + " cannot be told here: no inotify"
	case use.Readers == 0:
		return "the command did not read the patch of argument " + use.Argument + ": nobody opened " + use.Path + ". What it runs may have closed it: pass it on " +
			"(python: pass_fds=[" + path.Base(use.Path) + "]), or give the patch through a FIFO or a file with talos-tsbridge patch -o"
	case use.Readers > 1 && !failed && key != "":
		return fmt.Sprintf("the patch of argument %s was read %d times, and %s registers one node: for more, mint with --key-reusable, or let each run read it once",
			use.Argument, use.Readers, key)
	}

	return ""
}

func checkExec(flags *patchFlags) error {
	switch {
	case runtime.GOOS == "windows":
		return usagef("exec needs pipes that a program can open by name, which Windows does not have: write the patch to a file with -o")
	case flags.output != "":
		return usagef("exec hands the patch to the command: leave --output out")
	case flags.redact:
		return usagef("exec hands the patch to the command, which a redacted one is of no use to: leave --redact out")
	}

	return nil
}

// optionsAt returns what makes the patch the one for its place.
func (f *patchFlags) optionsAt(place talosctl.Place) []patch.Option {
	options := f.roleOptions()
	if place.BesideControlPlane {
		options = nil
	}

	// the role of a base is not that of every node that talosctl generates a config for
	if place.HasRole && (place.Role != machine.TypeUnknown || f.settings.Role == nil) {
		options = append(options, patch.WithRole(place.Role.String()))
	}

	if place.AdditionsOnly {
		options = append(options, patch.WithOnlyRoleSpecific())
	}

	return options
}

// forVersionOf returns the flags with the --talos-version of the command, which makes the config that the patch is for.
func (f *patchFlags) forVersionOf(args []string) (*patchFlags, error) {
	version := talosctl.Version(args)
	if version == "" {
		return f, nil
	}

	ofCommand, err := contract.Parse(version)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s of the command: %w", talosctl.FlagVersion, err)}
	}

	// a wrong version of ours is reported with the other faults
	given := pointer.SafeDeref(f.settings.TalosVersion)
	if ours, err := contract.Parse(given); err == nil && *ours != *ofCommand {
		return nil, usagef("%s is %s for the patch and %s for the command: leave out the one before --", talosctl.FlagVersion, ours, ofCommand)
	}

	with := *f
	with.settings.TalosVersion = pointer.To(cmp.Or(given, version))

	return &with, nil
}
