package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

func (p *program) applyCommand() *cobra.Command {
	var (
		flags         patchFlags
		inPlace, diff bool
	)

	cmd := &cobra.Command{
		Use:   "apply FILE|-",
		Short: "Print a machine config with the patch in place of an earlier one",
		Long: `Prints the machine config FILE, or the one on standard input, with the patch in place. Contract, role and address
families are taken from it.

What is given is changed, everything else is kept, byte for byte: variables and arguments of the service one by one, the node
IP, the addresses of etcd. Only what the config does not have gets its default. Without a key, a way to log in that the config
has stays, and --auth-key none takes it out. Applying again changes nothing. The file is not changed without --in-place.

An empty --hostname or --advertise-routes, and --userspace=false, undo what an earlier run set; --unset takes out anything.

What talosctl get machineconfig -o yaml prints is taken too; the result is the machine config alone.`,
		Example: `  talos-tsbridge apply --advertise-tags tag:k8s worker.yaml --diff
  talos-tsbridge apply --advertise-tags tag:k8s worker.yaml --in-place
  talos-tsbridge apply --advertise-tags tag:k8s worker.yaml | talosctl apply-config -n 192.168.1.11 -f /dev/stdin`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("%s needs one machine config: a file, or - for standard input", cmd.CommandPath())
			}

			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if diff {
				return p.applyDiff(cmd.Context(), &flags, args[0], inPlace)
			}

			return p.apply(cmd.Context(), &flags, args[0], inPlace)
		},
	}

	flags.bind(cmd)
	flags.bindUnset(cmd)
	cmd.Flags().BoolVar(&inPlace, "in-place", false, "write the result back to the file, at once or not at all")
	cmd.Flags().BoolVar(&diff, "diff", false, "print what would change, without secrets, and change nothing")
	p.streams(cmd, func() (string, bool) { return flags.output, !inPlace && !diff })

	return cmd
}

func (p *program) apply(ctx context.Context, flags *patchFlags, file string, inPlace bool) error {
	if err := checkApply(flags, file, inPlace); err != nil {
		return err
	}

	source, err := p.openConfig(ctx, file, inPlace)
	if err != nil {
		return err
	}

	defer source.close()

	config := source.config

	if inPlace && config.IsResource() {
		return usagef("--in-place needs a machine config: %s holds what talosctl get machineconfig prints, and the result is the config alone", file)
	}

	request, err := p.newRequest(ctx, flags, config, flags.roleOptions())
	if err != nil {
		return err
	}

	if !inPlace {
		if err := request.checkReader(p, flags.output); err != nil {
			return err
		}
	}

	return request.deliver(ctx, func(made *patch.Patch) error {
		applied, err := made.Apply(config)

		switch {
		case err != nil:
			return usageError{err}
		case flags.redact:
			return p.write(ctx, flags.output, applied.Redacted())
		case !inPlace:
			return p.write(ctx, flags.output, applied.Bytes())
		case applied.Changed():
			return source.writeBack(ctx, applied.Bytes())
		}

		return nil
	})
}

// applyDiff prints what a patch would change. No key is minted for it.
func (p *program) applyDiff(ctx context.Context, flags *patchFlags, file string, inPlace bool) error {
	if inPlace {
		return usagef("--diff or --in-place, not both: see the difference first")
	}

	if err := checkApply(flags, file, inPlace); err != nil {
		return err
	}

	source, err := p.openConfig(ctx, file, false)
	if err != nil {
		return err
	}

	defer source.close()

	shown := *flags
	shown.redact = true

	request, err := p.newRequest(ctx, &shown, source.config, flags.roleOptions())
	if err != nil {
		return err
	}

	return request.deliver(ctx, func(made *patch.Patch) error {
		applied, err := made.Apply(source.config)
		if err != nil {
			return usageError{err}
		}

		return p.write(ctx, flags.output, []byte(applied.Diff(file, file)))
	})
}

func checkApply(flags *patchFlags, file string, inPlace bool) error {
	if _, err := destinationOf(flags.output); err != nil {
		return err
	}

	switch {
	case file == "-" && flags.authKey == "-":
		return usagef("the machine config or the auth key is on standard input, not both: give the other as a file")
	case inPlace && file == "-":
		return usagef("--in-place needs a file: standard input cannot be written to")
	case inPlace && flags.output != "":
		return usagef("--in-place or --output, not both")
	case inPlace && flags.redact:
		return usagef("--in-place or --redact, not both: the redacted key would take the place of the real one")
	}

	return nil
}
