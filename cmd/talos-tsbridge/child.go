package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"
)

// runChild runs a command with the patches in the place of the arguments that stand for them, each through a pipe. When it
// succeeds, it takes back the keys of those that the command did not read.
func (p *program) runChild(ctx context.Context, args []string, patches []*standInAt, stdinUsed bool) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}

	args = slices.Clone(args)

	// the context does not end the command: that is for the signals that are passed on to it
	child := exec.Command(args[0]) //nolint:gosec,noctx // the command is what the user wants to run
	child.Env = p.environment.childEnvironment()
	child.Stdout, child.Stderr = p.stdout, p.stderr

	if !stdinUsed {
		child.Stdin = p.stdin
	}

	var pipes []*patchPipe

	defer func() {
		for _, pipe := range pipes {
			pipe.close()
		}
	}()

	for i, one := range patches {
		pipe, err := newPatchPipe(one.text)
		if err != nil {
			return err
		}

		pipes = append(pipes, pipe)

		const firstExtraFile = 3

		args[one.index] = fmt.Sprintf("%s@/dev/fd/%d", one.prefix, firstExtraFile+i)
		child.ExtraFiles = append(child.ExtraFiles, pipe.reader)
	}

	child.Args = args

	if err := child.Start(); err != nil {
		return fmt.Errorf("the command cannot be run: %w", err)
	}

	p.passSignals(ctx, child.Process)
	defer p.interrupts.passTo(nil)

	for _, pipe := range pipes {
		go pipe.fill()
	}

	err := child.Wait()

	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exitOf(exit)
	}

	if err != nil {
		return fmt.Errorf("the command: %w", err)
	}

	for i, pipe := range pipes {
		if !pipe.wasRead() {
			p.note("the command did not read the patch of argument " + args[patches[i].index])
			patches[i].key.takeBack(ctx)
		}
	}

	return nil
}

// passSignals passes signals on to the child. A terminal sends its interrupts to the child itself.
func (p *program) passSignals(ctx context.Context, child *os.Process) {
	atTerminal := isTerminal(p.stdin)

	p.interrupts.passTo(func(received os.Signal) {
		if received != os.Interrupt || !atTerminal {
			_ = child.Signal(received) // it may have ended by now
		}
	})

	// whoever runs us in a context of theirs ends it for the child too
	context.AfterFunc(ctx, func() { _ = child.Signal(syscall.SIGTERM) })
}

func exitOf(exit *exec.ExitError) childExit {
	const signalled = 128 // as a shell reports it

	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return childExit(signalled + int(status.Signal()))
	}

	return childExit(exit.ExitCode())
}

// patchPipe is a pipe with a patch in it.
type patchPipe struct {
	reader, writer *os.File
	text           []byte
}

func newPatchPipe(text []byte) (*patchPipe, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("pipe for the command: %w", err)
	}

	return &patchPipe{reader: reader, writer: writer, text: text}, nil
}

// fill writes the patch. A reader that ends before it has read all makes it fail, which is the reader's affair.
func (p *patchPipe) fill() {
	_, _ = p.writer.Write(p.text)
	_ = p.writer.Close()
}

// wasRead reports whether anything was taken out of the pipe, once the child has ended. What it did not read is still
// there, because this process keeps the pipe open.
func (p *patchPipe) wasRead() bool {
	left, err := io.ReadAll(p.reader)

	return err != nil || len(left) < len(p.text)
}

func (p *patchPipe) close() {
	_ = p.reader.Close()
	_ = p.writer.Close() // it may be closed already
}
