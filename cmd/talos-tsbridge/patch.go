package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

func (p *program) patchCommand() *cobra.Command {
	var (
		flags  = &patchFlags{}
		bridge = &bridgeOutput{}
		format string
	)

	cmd := &cobra.Command{
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}

			switch {
			case bridge.file != "":
				return p.printFleet(cmd.Context(), flags, cmd.Flags(), bridge, format)
			case bridge.node != "" || bridge.outputDir != "":
				return usagef("--node and --output-dir choose from the nodes of a bridge file: name it with -f")
			}

			return p.printPatch(cmd.Context(), flags, format)
		},
	}

	flags.bind(cmd)
	flags.bindBase(cmd)
	bridge.bind(cmd)
	cmd.Flags().StringVar(&format, "format", formatYAML,
		"`form` of the output: yaml, or json for programs, which is one object: the hostname of the node (with -f the name of each, else patch) and its patch as YAML text")
	completeValues(cmd, "format", formatYAML, formatJSON)
	p.streams(cmd, func() (string, bool) { return flags.output, bridge.outputDir == "" })

	return cmd
}

func (p *program) printPatch(ctx context.Context, flags *patchFlags, format string) error {
	if _, err := destinationOf(flags.output); err != nil {
		return err
	}

	request, err := p.newRequest(ctx, flags, nil, flags.roleOptions())
	if err != nil {
		return err
	}

	if err := request.checkReader(p, flags.output); err != nil {
		return err
	}

	return request.deliver(ctx, func(made *patch.Patch) error {
		text, err := render(made, flags.redact)
		if err == nil {
			text, err = inFormat(format, text, flags.settings.Hostname)
		}

		if err != nil {
			return err
		}

		return p.write(ctx, flags.output, text)
	})
}

func render(made *patch.Patch, redact bool) ([]byte, error) {
	if redact {
		return made.Redacted()
	}

	return made.Bytes()
}
