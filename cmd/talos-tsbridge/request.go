package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// request is one or several patches that were asked for, with all faults found before anything is done about them.
type request struct {
	options []patch.Option
	// variants are the options of each patch besides.
	variants [][]patch.Option
	// key is the one that is there, or stands in checks for one that is minted.
	key  authkey.Key
	keys fleet.Keys
	// target is the machine config that the patch goes into, nil for a patch alone.
	target *patch.Config
}

// newRequest reports all faults of the flags, of the key and of each variant of the patch at once, and the notes of a
// faultless request. It looks up the static hosts that are asked for.
func (p *program) newRequest(ctx context.Context, flags *patchFlags, target *patch.Config, variants ...[]patch.Option) (*request, error) {
	options, err := flags.options(ctx, p)
	key, keys, keyErr := p.keysOf(ctx, flags, target)

	if target != nil {
		options = append(options, patch.WithTarget(target), patch.WithUnset(flags.unset...))
	}

	if source, err := authkey.ParseSource(flags.authKey); target != nil && err == nil && source.IsNone() {
		options = append(options, patch.WithoutAuthKey())
	}

	r := &request{options: options, variants: variants, key: key, keys: keys, target: target}

	notes, faults := r.check()
	if err := errors.Join(append(append(lines(err), faults...), keyErr)...); err != nil {
		return nil, cmp.Or(context.Cause(ctx), err)
	}

	hosts, err := p.staticHosts(ctx, flags)
	if err != nil {
		return nil, err
	}

	if hosts.hosts != nil {
		r.options = append(r.options, hosts.options()...)

		notes, faults = r.check()
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

// check makes each variant with the key that is there or stands for one, to hear its notes and faults, each once.
func (r *request) check() (notes []string, faults []error) {
	for i := range r.variants {
		made, err := r.patch(i, r.key)
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

// mints reports whether keys are minted.
func (r *request) mints() bool {
	_, mints := r.keys.(*minting)

	return mints
}

// checkReader refuses to mint a key that nobody gets.
func (r *request) checkReader(p *program, output string) error {
	if !r.mints() {
		return nil
	}

	return p.checkReader(output)
}

// patch makes a variant of the patch with a key.
func (r *request) patch(variant int, key authkey.Key) (*patch.Patch, error) {
	options := slices.Concat(r.options, r.variants[variant])

	if key.IsZero() && r.mints() { // the node has joined
		options = append(options, patch.WithAuthKeyMount(""))
		if r.target != nil {
			options = append(options, patch.WithoutAuthKey())
		}
	}

	return patch.New(append(options, patch.WithAuthKey(key))...)
}

// deliver makes the one patch with a key and hands it over. A key that was minted for it is kept once that is done, and else
// revoked.
func (r *request) deliver(ctx context.Context, hand func(*patch.Patch) error) error {
	lease, err := r.keys.Lease(ctx, 0)
	if err != nil {
		return err
	}

	made, err := r.patch(0, lease.Key())
	if err == nil {
		err = hand(made)
	}

	if err == nil {
		lease.Keep()
	}

	return releasing(ctx, err, lease)
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
