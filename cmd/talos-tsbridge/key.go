package main

import (
	"errors"
	"io/fs"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
)

// authKey returns the key from the source that the flags name, or from the default one.
func (p *program) authKey(flags *patchFlags) (authkey.Key, error) {
	source, err := p.keySource(flags.authKey)
	if err != nil {
		return authkey.Key{}, usageError{err}
	}

	var options []authkey.ParseOption
	if flags.allowClientSecret {
		options = append(options, authkey.AllowClientSecret())
	}

	key, err := source.Read(authkey.Input{LookupEnv: p.environment.lookup, Stdin: p.stdin}, options...)
	if _, unreadable := errors.AsType[*fs.PathError](err); err != nil && !unreadable {
		return authkey.Key{}, usageError{err}
	}

	return key, err
}

func (p *program) keySource(text string) (authkey.Source, error) {
	if text != "" {
		return authkey.ParseSource(text)
	}

	if p.environment[authkey.EnvName] != "" {
		return authkey.Env(), nil
	}

	return authkey.Source{}, errors.New("no auth key: set TS_AUTHKEY, or choose a source with --auth-key: " + authkey.SourceUsage)
}
