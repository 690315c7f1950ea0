package main

import (
	"cmp"
	"context"
	"sync"

	"github.com/talos-tsbridge/talos-tsbridge/internal/ctxio"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// readInput reads the file that a flag names, or standard input for "-". It ends with ctx, and an error repeats no name that
// looks like a key. Of an argument, what is "".
func (p *program) readInput(ctx context.Context, what, path string) ([]byte, error) {
	if path == "-" {
		if err := p.takeStdin(); err != nil {
			return nil, err
		}

		text, err := ctxio.ReadAll(ctx, p.stdin, ctxio.MaxInput)

		return text, named(ctx, "standard input", err)
	}

	if secret.Is(path) {
		return nil, usagef("%s takes the name of a file, and what was given looks like a key", cmp.Or(what, "the command"))
	}

	text, err := ctxio.ReadFile(ctx, path, ctxio.MaxInput)
	if what != "" {
		err = named(ctx, what, err)
	}

	return text, err
}

// takeStdin refuses to read standard input again.
func (p *program) takeStdin() error {
	if p.stdinTaken {
		return usagef("standard input holds one thing: give the file or the auth key in another way")
	}

	p.stdinTaken = true

	return nil
}

// readOnce returns what reads files until ctx ends, each of them once: patches are made several times, and a pipe can be read
// once.
func readOnce(ctx context.Context) func(name string) ([]byte, error) {
	var (
		guard sync.Mutex
		files = map[string]func() ([]byte, error){}
	)

	return func(name string) ([]byte, error) {
		guard.Lock()

		read := files[name]
		if read == nil {
			read = sync.OnceValues(func() ([]byte, error) { return ctxio.ReadFile(ctx, name, ctxio.MaxInput) })
			files[name] = read
		}

		guard.Unlock()

		return read()
	}
}
