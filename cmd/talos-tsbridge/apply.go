package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/talos-tsbridge/talos-tsbridge/internal/atomicfile"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

func (p *program) applyCommand() *cobra.Command {
	var (
		flags   patchFlags
		inPlace bool
	)

	cmd := &cobra.Command{
		Use:   "apply FILE|-",
		Short: "Print a machine config with the patch in place of an earlier one",
		Long: `Prints the machine config FILE, or the one on standard input, with the patch in place. Contract, role and address
families are taken from it.

What an earlier patch set is replaced, so applying again changes nothing; everything else is kept. The file is not
changed without --in-place.`,
		Example: `  talos-tsbridge apply --advertise-tags tag:k8s worker.yaml --in-place
  talos-tsbridge apply --advertise-tags tag:k8s worker.yaml | talosctl apply-config -n 192.168.1.11 -f /dev/stdin`,
		Annotations: map[string]string{streams: "true"},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("%s needs one machine config: a file, or - for standard input", cmd.CommandPath())
			}

			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.apply(cmd.Context(), &flags, args[0], inPlace)
		},
	}

	flags.bind(cmd)
	cmd.Flags().BoolVar(&inPlace, inPlaceFlag, false, "write the result back to the file, at once or not at all")

	return cmd
}

const inPlaceFlag = "in-place"

func (p *program) apply(ctx context.Context, flags *patchFlags, file string, inPlace bool) error {
	if err := checkApply(flags, file, inPlace); err != nil {
		return err
	}

	config, err := p.readConfig(file)
	if err != nil {
		return err
	}

	forRole := append(flags.roleOptions(), patch.WithBase(config))

	request, err := p.newRequest(ctx, flags, forRole)
	if err != nil {
		return err
	}

	// what Talos would refuse is refused before a key is minted for it
	if request.minting != nil {
		trial, err := request.with(forRole, request.key)
		if err != nil {
			return err
		}

		if _, err := trial.Apply(config); err != nil {
			return usageError{err}
		}
	}

	made, lease, err := request.patch(ctx, forRole)
	if err != nil {
		return err
	}

	defer lease.release(ctx)

	applied, err := made.Apply(config)

	switch {
	case err != nil:
		err = usageError{err}
	case flags.redact:
		err = p.write(ctx, flags.output, applied.Redacted())
	case !inPlace:
		err = p.write(ctx, flags.output, applied.Bytes())
	case applied.Changed():
		err = writeBack(ctx, file, applied.Bytes())
	}

	if err != nil {
		return err
	}

	lease.keep()

	return nil
}

func checkApply(flags *patchFlags, file string, inPlace bool) error {
	if err := checkOutputFile(flags.output); err != nil {
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

func (p *program) readConfig(file string) (*patch.Config, error) {
	if file != "-" {
		return readBase(file)
	}

	text, err := io.ReadAll(p.stdin)
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}

	return parseConfig(text)
}

// writeBack writes the config to the file that it was read from, which keeps its mode.
func writeBack(ctx context.Context, file string, text []byte) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}

	info, err := os.Stat(file)
	if err != nil {
		return err
	}

	return atomicfile.Write(file, text, info.Mode().Perm())
}
