package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/siderolabs/go-pointer"
	"github.com/spf13/cobra"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
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

	forRole := flags.roleOptions()

	request, err := p.newRequest(ctx, flags, forRole)
	if err != nil {
		return err
	}

	if request.minting != nil {
		if err := p.checkReader(flags.output); err != nil {
			return err
		}
	}

	made, lease, err := request.patch(ctx, forRole)
	if err != nil {
		return err
	}

	defer lease.release(ctx)

	text, err := render(made, flags.redact)
	if err == nil {
		text, err = inFormat(format, text, flags.settings.Hostname)
	}

	if err != nil {
		return err
	}

	if err := p.write(ctx, flags.output, text); err != nil {
		return err
	}

	lease.keep()

	return nil
}

func render(made *patch.Patch, redact bool) ([]byte, error) {
	if redact {
		return made.Redacted()
	}

	return made.Bytes()
}

// request is one or several patches that were asked for, with all faults found before anything is done about them.
type request struct {
	options []patch.Option
	key     authkey.Key
	// minting makes keys. It is nil when the key is there already; else key stands for one in checks.
	minting *minting
	// target is the machine config that the patch goes into, nil for a patch alone.
	target *patch.Config
}

// newRequest reports all faults of the flags, of the key and of each variant of the patch at once, and the notes of a
// faultless request. It looks up the static hosts that are asked for.
func (p *program) newRequest(ctx context.Context, flags *patchFlags, variants ...[]patch.Option) (*request, error) {
	flags.key.advertised, flags.key.quiet = strings.Join(flags.settings.AdvertiseTags, ","), flags.quiet
	flags.key.hostname = pointer.SafeDeref(flags.settings.Hostname)
	flags.key.dryRun = flags.dryRun || flags.redact // a key that is not printed need not be made

	options, err := flags.options(ctx, p)
	key, minting, keyErr := p.keyOf(ctx, flags)

	if flags.target != nil {
		options = append(options, patch.WithTarget(flags.target), patch.WithUnset(flags.unset...))
	}

	if source, err := authkey.ParseSource(flags.authKey); flags.target != nil && err == nil && source.IsNone() {
		options = append(options, patch.WithoutAuthKey())
	}

	r := &request{options: options, key: key, minting: minting, target: flags.target}

	notes, faults := r.check(variants)
	if err := errors.Join(append(append(lines(err), faults...), keyErr)...); err != nil {
		return nil, cmp.Or(context.Cause(ctx), err)
	}

	hosts, err := p.staticHosts(ctx, flags)
	if err != nil {
		return nil, err
	}

	if hosts.options != nil {
		r.options = append(r.options, hosts.options...)

		notes, faults = r.check(variants)
		if err := errors.Join(faults...); err != nil {
			return nil, err
		}
	}

	notes = addNew(hosts.notes, notes...)

	if !flags.quiet {
		p.note(notes...)
	}

	return r, nil
}

// check makes each variant with the key that stands for one, to hear its notes and faults, each once.
func (r *request) check(variants [][]patch.Option) (notes []string, faults []error) {
	for _, variant := range variants {
		made, err := r.with(variant, r.key)
		if err == nil && r.target != nil {
			_, err = made.Apply(r.target)
		}

		if err == nil {
			for _, note := range made.Notes() {
				notes = addNew(notes, inFlags(note.Text))
			}
		}

		for _, fault := range lines(err) {
			if !slices.ContainsFunc(faults, func(f error) bool { return f.Error() == fault.Error() }) {
				faults = append(faults, usageError{fault})
			}
		}
	}

	return notes, faults
}

// patch makes a variant of the patch, with a key of its own where keys are minted: a single-use key is good for one of
// the nodes that the patches are for.
func (r *request) patch(ctx context.Context, variant []patch.Option) (*patch.Patch, *keyLease, error) {
	key, lease := r.key, (*keyLease)(nil)

	if r.minting != nil {
		var err error
		if key, lease, err = r.minting.lease(ctx); err != nil {
			return nil, nil, err
		}
	}

	if key.IsZero() && r.minting != nil { // the node has joined
		variant = append(slices.Clone(variant), patch.WithAuthKeyMount(""))
		if r.target != nil {
			variant = append(variant, patch.WithoutAuthKey())
		}
	}

	made, err := r.with(variant, key)
	if err != nil {
		lease.release(ctx)

		return nil, nil, err
	}

	return made, lease, nil
}

func (r *request) with(variant []patch.Option, key authkey.Key) (*patch.Patch, error) {
	return patch.New(slices.Concat(r.options, variant, []patch.Option{patch.WithAuthKey(key)})...)
}

// lines returns the errors that are joined in one, a line each.
func lines(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var (
			all  []error
			text []string
		)

		for _, one := range joined.Unwrap() {
			all = append(all, lines(one)...)
			text = append(text, one.Error())
		}

		if err.Error() == strings.Join(text, "\n") { // not one that says more than those in it
			return all
		}
	}

	if err == nil {
		return nil
	}

	return []error{err}
}

func addNew(notes []string, more ...string) []string {
	for _, note := range more {
		if !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
	}

	return notes
}
