package main

import (
	"context"
	"errors"
	"os"

	"golang.org/x/term"

	"github.com/talos-tsbridge/talos-tsbridge/internal/ctxio"
)

// delivery is how far the result of a run got.
type delivery int

const (
	deliveredNothing delivery = iota
	deliveredPart
	deliveredWhole
	// deliveredUnknown is for a reader who has gone, or may have a part.
	deliveredUnknown
)

// checkReader refuses to make a key that nobody gets.
func (p *program) checkReader(output string) error {
	to, err := destinationOf(output)
	if err != nil {
		return err
	}

	if file, ok := p.stdout.(*os.File); ok && to.path == "" && to.descriptor == stdoutDescriptor && isClosed(file) {
		return usagef("standard output is closed, so that nobody would get the key: nothing was minted")
	}

	return nil
}

// write delivers a patch or a key to what --output names, or to standard output. Nothing is written once ctx has ended, and
// a reader that does not read is not waited for after that.
func (p *program) write(ctx context.Context, output string, text []byte) error {
	to, err := destinationOf(output)
	if err != nil {
		return err
	}

	err = p.writeTo(ctx, to, text)
	_, isFile := p.stdout.(*os.File)

	switch {
	case err == nil:
		p.delivery = deliveredWhole
	case errors.Is(err, ctxio.ErrCut):
		p.delivery = deliveredPart
	case context.Cause(ctx) == nil, to.path == "" && !isFile:
		p.delivery = deliveredUnknown
	}

	return err
}

// isTerminal reports whether f, an input or an output, is a terminal.
func isTerminal(f any) bool {
	file, ok := f.(*os.File)

	return ok && term.IsTerminal(int(file.Fd()))
}
