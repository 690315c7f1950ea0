package main

import (
	"context"
	"errors"
	"os"
	"time"

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

// print writes what a person or a program reads on standard output and no key depends on. After the first signal it shows
// what is known by then, to a reader who reads.
func (p *program) print(ctx context.Context, text []byte) error {
	if context.Cause(ctx) != nil {
		const deadline = 10 * time.Second

		inTime, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadline)
		defer cancel()

		ctx = inTime
	}

	return named(ctx, "standard output", ctxio.Write(ctx, p.stdout, text))
}

// isTerminal reports whether f, an input or an output, is a terminal.
func isTerminal(f any) bool {
	file, ok := f.(*os.File)

	return ok && term.IsTerminal(int(file.Fd()))
}

// redraws reports whether a person reads standard error, at a terminal that can write over what it shows.
func (p *program) redraws() bool { return isTerminal(p.stderr) && p.environment["TERM"] != "dumb" }
