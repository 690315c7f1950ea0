package main

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/siderolabs/go-pointer"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/internal/command"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

// keysOf returns where the keys of a request come from: the source that the flags name, or the default one. What is there
// already is read; of what is minted, key stands for it in checks.
func (p *program) keysOf(ctx context.Context, flags *patchFlags, target *patch.Config) (key authkey.Key, keys fleet.Keys, err error) {
	if p.keepsLogin(flags, target) {
		return key, fleet.GivenKey(key, true), nil
	}

	source, err := p.keySource(flags.authKey)
	if err != nil {
		return key, nil, usageError{err}
	}

	if !source.IsMint() {
		key, err = p.readKey(ctx, flags, source)

		return key, fleet.GivenKey(key, true), err
	}

	wanted := flags.keyRequest()
	wanted.once = source.IsOnce()

	minting, err := p.newMinting(wanted, nil)
	if err != nil {
		return key, nil, err
	}

	key, err = authkey.Placeholder(dryKey)

	return key, minting, err
}

// keyRequest is the key that the flags ask for, should it be minted. One that is not printed need not be made.
func (f *patchFlags) keyRequest() keyRequest {
	return keyRequest{
		keyFlags: f.key, advertised: strings.Join(f.settings.AdvertiseTags, ","), hostname: pointer.SafeDeref(f.settings.Hostname),
		dryRun: f.dryRun || f.redact, quiet: f.quiet,
	}
}

// readKey reads a key that is there already.
func (p *program) readKey(ctx context.Context, flags *patchFlags, source authkey.Source) (authkey.Key, error) {
	if flags.key.replace {
		return authkey.Key{}, usagef("--replace-device goes with a key that is minted: leave it out, or give --auth-key mint")
	}

	if source.String() == "-" {
		if err := p.takeStdin(); err != nil {
			return authkey.Key{}, err
		}
	}

	var options []authkey.ParseOption
	if flags.allowClientSecret {
		options = append(options, authkey.AllowClientSecret())
	}

	key, err := source.Read(ctx, authkey.Input{
		LookupEnv: p.environment.lookup, Stdin: p.stdin, Environ: p.environment.childEnvironment(), Stderr: p.stderr,
	}, options...)

	_, isUnreadable := errors.AsType[*fs.PathError](err)
	_, hasFailed := errors.AsType[*command.Error](err)

	if err != nil && !isUnreadable && !hasFailed && context.Cause(ctx) == nil {
		err = usageError{err}
	}

	return key, err
}

// keepsLogin reports whether no key is given, and the machine config has a way to log in already: that one stays, also where
// there are credentials to make a key with.
func (p *program) keepsLogin(flags *patchFlags, target *patch.Config) bool {
	return target != nil && target.HasLogin() && flags.authKey == "" && p.environment[authkey.EnvAuthKey] == ""
}

// keySource reads the flag. Without it, the key in the environment comes first, then credentials that can make one.
func (p *program) keySource(text string) (authkey.Source, error) {
	if text != "" {
		return authkey.ParseSource(text)
	}

	if p.environment[authkey.EnvAuthKey] != "" {
		return authkey.FromEnv(), nil
	}

	if _, err := tailnet.CredentialFromEnv(p.environment.lookup); !errors.Is(err, tailnet.ErrNoCredentials) {
		return authkey.Mint(), nil // what is wrong with credentials, the minting says
	}

	return authkey.Source{}, errors.New("no auth key: set TS_AUTHKEY, or API credentials to mint one with (" + tailnet.EnvUsage +
		"), or choose a source with --auth-key: " + authkey.SourceUsage)
}
