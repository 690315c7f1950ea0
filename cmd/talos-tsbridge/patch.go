package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

func (p *program) patchCommand() *cobra.Command {
	flags := &patchFlags{}

	cmd := &cobra.Command{
		Args:        noArguments,
		Annotations: map[string]string{streams: "true"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.printPatch(cmd.Context(), cmd.Flags(), flags)
		},
	}

	flags.bind(cmd)

	return cmd
}

func (p *program) printPatch(ctx context.Context, given *pflag.FlagSet, flags *patchFlags) error {
	request, err := p.newRequest(given, flags)
	if err != nil {
		return err
	}

	made, err := request.patch(ctx)
	if err != nil {
		return err
	}

	text, err := render(made, flags.redact)
	if err == nil {
		err = p.write(ctx, flags.output, text)
	}

	if err != nil {
		request.minting.takeBack(ctx)
	}

	return err
}

func render(made *patch.Patch, redact bool) ([]byte, error) {
	if redact {
		return made.Redacted()
	}

	return made.Bytes()
}

// request is a patch that was asked for, with all faults found before anything is done about it.
type request struct {
	options []patch.Option
	key     authkey.Key
	// minting makes the key. It is nil when the key is there already.
	minting *minting
}

// newRequest reports all faults of the flags and of the key at once, and the notes of a faultless request.
func (p *program) newRequest(given *pflag.FlagSet, flags *patchFlags) (*request, error) {
	flags.key.tags, flags.key.dryRun, flags.key.quiet = flags.advertiseTags, flags.dryRun, flags.quiet

	options, flagsErr := flags.options(given)
	key, minting, keyErr := p.keyOf(flags)

	made, patchErr := patch.New(append(options, patch.WithAuthKey(key))...)
	if patchErr != nil {
		patchErr = usageError{patchErr}
	}

	if err := errors.Join(flagsErr, patchErr, keyErr); err != nil {
		return nil, err
	}

	if !flags.quiet {
		p.note(made.Notes()...)
	}

	return &request{options: options, key: key, minting: minting}, nil
}

// patch mints the key where that is asked for, once, and makes the patch with it.
func (r *request) patch(ctx context.Context, further ...patch.Option) (*patch.Patch, error) {
	if r.minting != nil && !r.minting.done() {
		key, err := r.minting.mint(ctx)
		if err != nil {
			return nil, err
		}

		r.key = key
	}

	return patch.New(append(append(r.options, further...), patch.WithAuthKey(r.key))...)
}
