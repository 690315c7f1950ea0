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
	"slices"
	"strings"
	"syscall"

	"github.com/siderolabs/go-pointer"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/spf13/cobra"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/pipes"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// standIn is the argument that stands for the patch. talosctl itself takes it for the name of a file.
const standIn = "@-"

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
	cmd.Flags().IntVar(&parallel, "parallel", 1, "with -f: `number` of nodes to run the command for at a time")

	for _, useless := range []string{"output", "redact"} {
		if err := cmd.Flags().MarkHidden(useless); err != nil {
			panic(err) // the flag does not exist: a mistake in the line above
		}
	}

	return cmd
}

func (p *program) exec(ctx context.Context, flags *patchFlags, args []string) error {
	if err := checkExec(flags); err != nil {
		return err
	}

	patches, err := findStandIns(args)
	if err != nil {
		return err
	}

	flags, err = flags.forVersionOf(args)
	if err != nil {
		return err
	}

	variants := make([][]patch.Option, len(patches))
	for i, one := range patches {
		variants[i] = one.options(flags)
	}

	request, err := p.newRequest(ctx, flags, variants...)
	if err != nil {
		return err
	}

	defer func() {
		var leases []*keyLease
		for _, one := range patches {
			leases = append(leases, one.lease)
		}

		p.release(ctx, flags.quiet, leases...)
	}()

	for i, one := range patches {
		if err := one.fill(ctx, request, variants[i]); err != nil {
			return err
		}
	}

	uses, err := p.runWith(ctx, args, patches, flags.authKey == "-")

	for i, use := range uses {
		if note := noteOn(use, patches[i], err != nil); note != "" && (err == nil || !flags.quiet) {
			p.note(note)
		}

		if err == nil && (use.Readers > 0 || use.Unknown) {
			patches[i].lease.keep()
		}
	}

	return err
}

// runWith runs the command, with the patches in place of the arguments that stand for them.
func (p *program) runWith(ctx context.Context, args []string, patches []*standInAt, stdinUsed bool) ([]pipes.Use, error) {
	command := &pipes.Command{
		Args: args, Env: p.environment.childEnvironment(), Stdin: p.stdin, Stdout: p.stdout, Stderr: p.stderr, Started: p.passSignals,
	}

	if stdinUsed {
		command.Stdin = nil
	}

	for _, one := range patches {
		command.Payloads = append(command.Payloads, pipes.Payload{Argument: one.index, Prefix: one.prefix + "@", Text: one.text})
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

// noteOn says what is not as expected of the use of a patch.
func noteOn(use pipes.Use, of *standInAt, failed bool) string {
	switch {
	case use.Unknown:
		return "whether the command read the patch of argument " + use.Argument + " cannot be told here: no inotify"
	case use.Readers == 0:
		return "the command did not read the patch of argument " + use.Argument + ": nobody opened " + use.Path + ". What it runs may have closed it: pass it on " +
			"(python: pass_fds=[" + path.Base(use.Path) + "]), or give the patch through a FIFO or a file with talos-tsbridge patch -o"
	case use.Readers > 1 && !failed && of.lease != nil && !of.lease.Details().Reusable:
		return fmt.Sprintf("the patch of argument %s was read %d times, and auth key %s in it registers one node: for more, mint with --key-reusable or run exec once a node",
			use.Argument, use.Readers, of.lease.ID())
	case use.Readers > 1 && !failed && of.singleUse:
		return fmt.Sprintf("the patch of argument %s was read %d times: if its auth key is for single use, it registers one node", use.Argument, use.Readers)
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

// standInAt is an argument that stands for a patch.
type standInAt struct {
	index int
	// prefix is what stands before the @ in the argument.
	prefix string
	// flag is the flag that the argument belongs to.
	flag string
	// additions tells that another argument brings what every node may carry.
	additions bool
	// withoutEtcd tells that another argument is the one for control planes.
	withoutEtcd bool

	// text is the patch, and lease the one on the key that was minted for it.
	text  []byte
	lease *keyLease
	// singleUse tells that the key was given and may be for one node only.
	singleUse bool
}

// roles are the roles that talosctl's flags are for: those of --config-patch are for any.
var roles = map[string]machine.Type{
	flagAll:          machine.TypeUnknown,
	flagControlPlane: machine.TypeControlPlane,
	flagWorker:       machine.TypeWorker,
}

const (
	flagAll          = "--config-patch"
	flagControlPlane = "--config-patch-control-plane"
	flagWorker       = "--config-patch-worker"
)

// spellings are other names of talosctl's flags, of apply-config, patch and machineconfig patch.
var spellings = map[string]string{"-p": flagAll, "--patch": flagAll}

// findStandIns finds the arguments that stand for patches. Talos adds a patch to what another one set, so none may be
// given twice.
func findStandIns(args []string) ([]*standInAt, error) {
	var (
		found []*standInAt
		flags []string
	)

	for i, arg := range args[1:] {
		prefix, isStandIn := strings.CutSuffix(arg, standIn)
		isValue := strings.HasPrefix(prefix, "-") && strings.HasSuffix(prefix, "=")

		if !isStandIn || prefix != "" && !isValue {
			continue
		}

		flag := strings.TrimSuffix(prefix, "=")
		if flag == "" {
			flag = args[i]
		}

		name := cmp.Or(spellings[flag], flag)

		if _, ofTalosctl := roles[name]; ofTalosctl && slices.Contains(flags, name) {
			return nil, usagef("%s %s is there twice: talosctl would add the patch to itself, give it once", flag, standIn)
		}

		flags = append(flags, name)
		found = append(found, &standInAt{index: i + 1, prefix: prefix, flag: flag})
	}

	if len(found) == 0 {
		return nil, usagef("no argument of the command is %s, which stands for the patch: write --config-patch %s, or -p %s", standIn, standIn, standIn)
	}

	for _, one := range found {
		one.additions = roles[one.flag] != machine.TypeUnknown && slices.Contains(flags, flagAll)
		one.withoutEtcd = one.flag != flagControlPlane && slices.Contains(flags, flagControlPlane)
	}

	return found, nil
}

// options returns what makes the patch the one for its place.
func (s *standInAt) options(flags *patchFlags) []patch.Option {
	options := flags.roleOptions()
	if s.withoutEtcd {
		options = nil
	}

	// the role of a base is not that of every node that talosctl generates a config for
	if role, ok := roles[s.flag]; ok && (role != machine.TypeUnknown || flags.settings.Role == nil) {
		options = append(options, patch.WithRole(role.String()))
	}

	if s.additions {
		options = append(options, patch.WithRoleAdditionsOnly())
	}

	return options
}

// fill makes the patch. One that only adds to another has no key in it.
func (s *standInAt) fill(ctx context.Context, request *request, variant []patch.Option) (err error) {
	var made *patch.Patch

	if s.additions {
		made, err = request.with(variant, request.key)
	} else {
		made, s.lease, err = request.patch(ctx, variant)
		s.singleUse = request.minting == nil && slices.Contains([]authkey.Kind{authkey.KindAuth, authkey.KindPreAuth}, request.key.Kind())
	}

	if err == nil {
		s.text, err = made.Bytes()
	}

	return err
}

// forVersionOf returns the flags with the --talos-version of the command, which makes the config that the patch is for.
func (f *patchFlags) forVersionOf(args []string) (*patchFlags, error) {
	version := ""

	for i, arg := range args[1:] {
		if value, ok := strings.CutPrefix(arg, versionFlag+"="); ok {
			version = value
		} else if arg == versionFlag && i+2 < len(args) {
			version = args[i+2]
		}
	}

	if version == "" {
		return f, nil
	}

	ofCommand, err := contract.Parse(version)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s of the command: %w", versionFlag, err)}
	}

	// a wrong version of ours is reported with the other faults
	given := pointer.SafeDeref(f.settings.TalosVersion)
	if ours, err := contract.Parse(given); err == nil && *ours != *ofCommand {
		return nil, usagef("%s is %s for the patch and %s for the command: leave out the one before --", versionFlag, ours, ofCommand)
	}

	with := *f
	with.settings.TalosVersion = pointer.To(cmp.Or(given, version))

	return &with, nil
}

const versionFlag = "--talos-version"

// childEnvironment is the environment without keys and credentials.
func (e environment) childEnvironment() []string {
	var variables []string

	for name, value := range e {
		if !strings.HasPrefix(name, variablePrefix) {
			variables = append(variables, name+"="+value)
		}
	}

	slices.Sort(variables)

	return secret.WithoutVariables(variables)
}
