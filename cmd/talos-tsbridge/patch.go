package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

func (p *program) patchCommand() *cobra.Command {
	flags := &patchFlags{}

	cmd := &cobra.Command{
		Args:        noArguments,
		Annotations: map[string]string{streams: "true"},
		RunE:        func(cmd *cobra.Command, _ []string) error { return p.printPatch(cmd, flags) },
	}

	flags.bind(cmd)

	return cmd
}

func (p *program) printPatch(cmd *cobra.Command, flags *patchFlags) error {
	options, flagsErr := flags.options(cmd.Flags())
	key, keyErr := p.authKey(flags)

	var (
		hosts    lookedUp
		hostsErr error
	)

	if flagsErr == nil && keyErr == nil {
		hosts, hostsErr = p.staticHosts(cmd.Context(), flags)
		options = append(options, hosts.options...)
	}

	// even when the key is missing already, so that all faults are reported at once
	made, patchErr := patch.New(append(options, patch.WithAuthKey(key))...)
	if patchErr != nil {
		patchErr = usageError{patchErr}
	}

	if err := errors.Join(flagsErr, keyErr, hostsErr, patchErr); err != nil {
		return err
	}

	text, err := render(made, flags.redact)
	if err != nil {
		return err
	}

	if !flags.quiet {
		p.note(made.Notes()...)
		p.note(hosts.notes...)
	}

	return p.write(flags.output, text)
}

func render(made *patch.Patch, redact bool) ([]byte, error) {
	if redact {
		return made.Redacted()
	}

	return made.Bytes()
}
