package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// program is what the commands share: the surroundings of the process, which the tests replace.
type program struct {
	args        []string
	environment environment
	stdin       io.Reader
	stdinTaken  bool
	stdout      io.Writer
	stderr      io.Writer
	// readFile reads the files that settings and bridge files name.
	readFile   func(name string) ([]byte, error)
	interrupts interrupts
	// plain is done once somebody was told that the API is called without TLS.
	plain sync.Once

	// results are those of commands that other programs read, and delivery is how far the one of this run got.
	results  map[*cobra.Command]result
	delivery delivery
	// undelivered is what a run that ends at once leaves behind.
	undelivered undelivered
}

// run runs the program and returns its exit code. The environment is in the form of [os.Environ].
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{args: args, environment: newEnvironment(env), stdin: stdin, stdout: stdout, stderr: stderr}

	ctx, stop := p.interrupts.watch(ctx, p.endAtOnce)
	defer stop()

	p.readFile = readOnce(ctx)

	root := p.rootCommand()
	root.SetArgs(append([]string{}, args...)) // none is not those of the process
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)

	cmd, err := root.ExecuteContextC(ctx)
	p.report(err)

	if _, ofChild := errors.AsType[childExit](err); err != nil && !ofChild {
		p.failStream(ctx, cmd, err)
	}

	return codeOf(err)
}

func (p *program) rootCommand() *cobra.Command {
	root := p.patchCommand()
	root.Use = "talos-tsbridge"
	root.Short = "Put Talos nodes on a tailnet"
	root.Long = longDescription
	root.Example = examples
	root.Version = moduleVersion()
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.Args = noArguments

	named := p.patchCommand()
	named.Use = "patch"
	named.Short = "Print the patch (what the bare command does too)"

	root.AddCommand(named, p.applyCommand(), p.execCommand(), p.initCommand(), p.upCommand(), p.verifyCommand(), p.schematicCommand(), p.keyCommand(),
		p.deviceCommand(), p.accessCommand(), p.versionCommand())

	p.completeEverywhere(root)

	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		notes, err := p.environment.applyTo(cmd)

		if quiet := cmd.Flags().Lookup("quiet"); quiet == nil || quiet.Value.String() != "true" {
			p.note(notes...)
		}

		return err
	}

	return root
}

const longDescription = `Prints a Talos machine config patch that makes a node join a tailnet through the tailscale system extension, and keeps
the kubelet (and etcd) on the node's LAN address.

The patch goes to standard output and nothing else does; notes and errors go to standard error.

A flag can be given as a variable too: --advertise-tags as TSBRIDGE_ADVERTISE_TAGS. Flags that can be repeated take one value a line
there. A variable that is empty counts as not given. What aims or confirms a single run has none (--output, --format, --diff,
--in-place, --unset, --yes, --force), and neither has what means different things to two commands (--from, --image, --context of
access, --insecure of schematic).`

const examples = `  export TS_AUTHKEY=tskey-auth-...
  talos-tsbridge --advertise-tags tag:k8s --node-ip-subnet 192.168.1.0/24 |
    talosctl gen config mycluster https://192.168.1.10:6443 --config-patch @/dev/stdin`

// flagError rewords the errors of pflag, which repeat the values of flags.
func flagError(cmd *cobra.Command, err error) error {
	if err == pflag.ErrHelp { //nolint:errorlint,err113 // as cobra compares it
		return err
	}

	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		flag := invalid.GetFlag()

		if fault, ok := errors.AsType[patch.Fault](err); ok {
			return usageError{fault}
		}

		if twice, ok := errors.AsType[usageError](err); ok {
			return twice
		}

		return usagef("--%s %s is not a %s", flag.Name, quote.Value(invalid.GetValue()), kindOf(flag))
	}

	if missing, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return usagef("--%s needs a value", missing.GetFlag().Name)
	}

	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name := "--" + unknown.GetSpecifiedName()
		if short := unknown.GetSpecifiedShortnames(); short != "" {
			name = "-" + short
		}

		return usagef("flag %s does not exist: %s --help lists the flags", quote.Value(name), cmd.CommandPath())
	}

	return usagef("the flags cannot be read: %s --help lists them", cmd.CommandPath())
}

// noArguments refuses arguments, naming the command that one may have meant.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}

	cmd.SuggestionsMinimumDistance = 2
	name := quote.Value(args[0])

	if suggestions := cmd.SuggestionsFor(args[0]); len(suggestions) > 0 {
		return usagef("unknown command %s: did you mean %s", name, strings.Join(suggestions, " or "))
	}

	if cmd.HasAvailableSubCommands() {
		return usagef("unknown command %s: %s --help lists the commands", name, cmd.CommandPath())
	}

	return usagef("unexpected argument %s: %s takes flags only", name, cmd.CommandPath())
}

// report writes an error, a line for each fault. A command that failed has said why.
func (p *program) report(err error) {
	for _, one := range lines(err) {
		if _, ofChild := errors.AsType[childExit](one); ofChild {
			continue
		}

		if inner := errors.Unwrap(one); inner != nil && inner.Error() == one.Error() { // it says no more than those in it
			p.report(inner)

			continue
		}

		for line := range strings.SplitSeq(wording(one), "\n") {
			if line = strings.TrimSpace(line); line != "" {
				p.say("error", line)
			}
		}
	}
}

func (p *program) note(notes ...string) {
	for _, note := range notes {
		p.say("note", note)
	}
}

// say writes what a person reads on standard error. What comes from outside (servers, files) may be in it, and a key that was
// given in the place of a name.
func (p *program) say(kind, text string) {
	_, _ = fmt.Fprintf(p.stderr, "%s: %s\n", kind, printable.Line(secret.Redact(text))) // there is nowhere left to report it
}
