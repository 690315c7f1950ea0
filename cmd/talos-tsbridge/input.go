package main

import (
	"cmp"
	"context"

	"github.com/talos-tsbridge/talos-tsbridge/internal/ctxio"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// readInput reads the file that a flag names, or standard input for "-". It ends with ctx, and an error repeats no name that
// looks like a key. Of an argument, what is "".
func (p *program) readInput(ctx context.Context, what, path string) ([]byte, error) {
	if path == "-" {
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
