package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
)

// keyFlags are the flags that say what key to mint.
type keyFlags struct {
	tags          string
	expiry        time.Duration
	reusable      bool
	ephemeral     bool
	preauthorized bool
	description   string
	tailnet       string

	dryRun bool
	quiet  bool
}

func (f *keyFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()

	flags.DurationVar(&f.expiry, "key-expiry", authkey.DefaultExpiry, "how long a minted key can register a node: 1m to 2160h (90 days)")
	flags.BoolVar(&f.reusable, "key-reusable", false, "mint a key for any number of nodes (default: for one)")
	flags.BoolVar(&f.ephemeral, "key-ephemeral", false, "mint a key whose nodes are deleted from the tailnet soon after they go offline")
	flags.BoolVar(&f.preauthorized, "key-preauthorized", true, "mint a key whose nodes need no approval")
	flags.StringVar(&f.description, "key-description", authkey.DefaultDescription,
		fmt.Sprintf("`text` shown with a minted key: at most %d letters, digits, hyphens and spaces", authkey.MaxDescription))
	flags.StringVar(&f.tailnet, "tailnet", "", "`name` of the tailnet to mint a key in (default: TAILSCALE_TAILNET, or the credential's own)")
}

func (f *keyFlags) options() authkey.Options {
	options := authkey.Options{
		Expiry: f.expiry, Reusable: f.reusable, Ephemeral: f.ephemeral, NotPreauthorized: !f.preauthorized, Description: f.description,
	}

	if f.tags != "" {
		options.Tags = []string{f.tags}
	}

	return options
}

// minting makes keys.
type minting struct {
	program *program
	flags   *keyFlags
	minter  *authkey.Minter
}

// mintedKey is a key that was made, and is alive until it is taken back. The nil mintedKey stands for none.
type mintedKey struct {
	*minting
	authkey.Minted
}

// minter returns what mints and revokes keys with the credentials in the environment.
func (p *program) minter(flags *keyFlags) (*authkey.Minter, error) {
	minter, err := authkey.MinterFromEnv(p.environment.lookup)
	if err != nil {
		return nil, usageError{err}
	}

	minter.UserAgent = "talos-tsbridge/" + moduleVersion()

	if flags.tailnet != "" {
		minter.Tailnet = flags.tailnet
	}

	if !flags.quiet {
		minter.OnRetry = func(err error, wait time.Duration) {
			p.note(fmt.Sprintf("%v: trying again in %s", err, wait.Round(time.Millisecond)))
		}
	}

	if strings.HasPrefix(minter.BaseURL, "http://") && !flags.quiet {
		p.note("the API is called without TLS: the credential and the key can be read on the way")
	}

	return minter, nil
}

// newMinting checks everything that can be checked before a call.
func (p *program) newMinting(flags *keyFlags) (*minting, error) {
	minter, err := p.minter(flags)
	if err != nil {
		return nil, err
	}

	if err := minter.Check(flags.options()); err != nil {
		return nil, usageError{err}
	}

	return &minting{program: p, flags: flags, minter: minter}, nil
}

// dryKey stands for the key that a dry run does not mint.
const dryKey = "dry-run-no-key-was-minted"

// mint makes a key and says what it made. In a dry run it makes none.
func (m *minting) mint(ctx context.Context) (authkey.Key, *mintedKey, error) {
	if m.flags.dryRun {
		key, err := authkey.Placeholder(dryKey)

		return key, nil, err
	}

	minted, err := m.minter.Mint(ctx, m.flags.options())
	if err != nil {
		return authkey.Key{}, nil, err
	}

	if !m.flags.quiet {
		m.program.note(describe(minted))
	}

	key := &mintedKey{m, minted}

	// interrupted while the answer was on its way
	if err := context.Cause(ctx); err != nil {
		key.takeBack(ctx)

		return authkey.Key{}, nil, err
	}

	return minted.Key, key, nil
}

func describe(minted authkey.Minted) string {
	tags := "without tags"
	if len(minted.Tags) > 0 {
		tags = strings.Join(minted.Tags, ", ")
	}

	use := "single-use: exactly one node can join with it"
	if minted.Reusable {
		use = "reusable"
	}

	if minted.Ephemeral {
		use += "; ephemeral: a node that stays offline is deleted"
	}

	return fmt.Sprintf("minted auth key %s (%s), expires %s, %s", minted.ID, tags, minted.Expires.UTC().Format(time.RFC3339), use)
}

// takeBack revokes the key, if there is one, because it was not delivered. The run may have been interrupted, so it does
// not end with ctx.
func (k *mintedKey) takeBack(ctx context.Context) {
	if k == nil {
		return
	}

	switch err := k.minter.Revoke(context.WithoutCancel(ctx), k.ID); {
	case err == nil || errors.Is(err, authkey.ErrKeyNotFound):
		if !k.flags.quiet {
			k.program.note("revoked auth key " + k.ID + ", because it was not delivered")
		}
	default:
		k.program.say("error", fmt.Sprintf("the key was not delivered and could not be revoked, revoke it with talos-tsbridge key revoke %s: %v",
			k.ID, err))
	}
}

// keyOf returns the key from the source that the flags name, or from the default one. A key that is to be minted is not
// made yet: then it returns what stands for it in checks, and the minting.
func (p *program) keyOf(flags *patchFlags) (key authkey.Key, minting *minting, err error) {
	source, err := p.keySource(flags.authKey)
	if err != nil {
		return key, nil, usageError{err}
	}

	var options []authkey.ParseOption
	if flags.allowClientSecret {
		options = append(options, authkey.AllowClientSecret())
	}

	key, err = source.Read(authkey.Input{
		LookupEnv: p.environment.lookup,
		Stdin:     p.stdin,
		Mint: func() (authkey.Key, error) {
			minting, err = p.newMinting(&flags.key)
			if err != nil {
				return authkey.Key{}, err
			}

			return authkey.Placeholder(dryKey)
		},
	}, options...)

	if _, unreadable := errors.AsType[*fs.PathError](err); err != nil && !unreadable {
		err = usageError{err}
	}

	return key, minting, err
}

// keySource reads the flag. Without it, the key in the environment comes first, then credentials that can make one.
func (p *program) keySource(text string) (authkey.Source, error) {
	if text != "" {
		return authkey.ParseSource(text)
	}

	if p.environment[authkey.EnvName] != "" {
		return authkey.Env(), nil
	}

	if _, err := authkey.CredentialFromEnv(p.environment.lookup); !errors.Is(err, authkey.ErrNoCredentials) {
		return authkey.Mint(), nil // what is wrong with credentials, the minting says
	}

	return authkey.Source{}, errors.New("no auth key: set TS_AUTHKEY, or API credentials to mint one with (" + authkey.EnvUsage +
		"), or choose a source with --auth-key: " + authkey.SourceUsage)
}
