// Package command runs the program that knows a secret, such as a password manager, and takes its standard output. No shell
// is between, and nothing that the program says gets into an error: its standard error goes to the user as it is.
package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// Timeout is how long a program may take. It may have to ask a person.
const Timeout = 2 * time.Minute

// grace is how long a program that was told to end may take for it, and how long its output is read after it ended: it may
// have left others behind that keep it open.
const grace = 2 * time.Second

// Error is a program that failed, or that cannot be run.
type Error struct{ text string }

func (e *Error) Error() string { return e.text }

// Runner runs programs. The zero Runner is that of this process.
type Runner struct {
	// Environ is the program's environment; keys and API credentials are taken out of it. Default: that of this process.
	Environ []string
	// Stderr is where the program's standard error goes, up to 64 KiB. Default: that of this process.
	Stderr io.Writer
	// Timeout is how long the program may take. Default: [Timeout].
	Timeout time.Duration
}

// Output runs the program of a line, which is split by [Split], and returns its standard output, up to limit bytes.
// Standard input is empty: the caller's may hold something else.
func (r Runner) Output(ctx context.Context, line string, limit int) (string, error) {
	words, err := Split(line)
	if err != nil {
		return "", err
	}

	failed := func(format string, args ...any) error {
		return &Error{text: fmt.Sprintf("program %s "+format, append([]any{quote.Value(filepath.Base(words[0]))}, args...)...)}
	}

	timeout := r.Timeout
	if timeout <= 0 {
		timeout = Timeout
	}

	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	stdout := &bounded{limit: limit, exceeded: cancel}

	program := exec.CommandContext(limited, words[0], words[1:]...) //nolint:gosec // the program is what the user names
	program.Stdout = stdout
	program.Stderr = r.stderr()
	program.Env = r.environ()
	program.Cancel = func() error { return terminate(program.Process) }
	program.WaitDelay = grace

	err = program.Run()

	exit, ended := errors.AsType[*exec.ExitError](err)

	switch {
	case stdout.full:
		return "", failed("prints more than %d bytes: it should print the secret and nothing else", limit)
	case context.Cause(ctx) != nil:
		return "", context.Cause(ctx)
	case errors.Is(err, exec.ErrWaitDelay):
		return "", failed("ended, and something that it started keeps its output open")
	case limited.Err() != nil:
		return "", failed("did not end within %s", timeout)
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return "", failed("is not found")
	case ended && exit.ExitCode() < 0:
		return "", failed("was ended by a signal")
	case ended:
		return "", failed("failed with exit code %d", exit.ExitCode())
	case err != nil:
		return "", failed("cannot be run")
	}

	return stdout.text.String(), nil
}

func (r Runner) environ() []string {
	environ := r.Environ
	if environ == nil {
		environ = os.Environ()
	}

	return secret.WithoutVariables(environ)
}

func (r Runner) stderr() io.Writer {
	const limit = 64 << 10

	to := r.Stderr
	if to == nil {
		to = os.Stderr
	}

	return &capped{to: to, left: limit}
}

// bounded keeps what is written to it, and calls exceeded when that is too much.
type bounded struct {
	text     bytes.Buffer
	limit    int
	full     bool
	exceeded func()
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.text.Len()+len(p) > b.limit {
		b.full = true
		b.exceeded()

		return 0, io.ErrShortBuffer
	}

	return b.text.Write(p)
}

// capped passes on what is written to it, up to a limit.
type capped struct {
	to   io.Writer
	left int
}

func (c *capped) Write(p []byte) (int, error) {
	head := p[:min(len(p), c.left)]
	c.left -= len(head)

	if len(head) > 0 {
		_, _ = c.to.Write(head) // what cannot be shown does not end the program
	}

	return len(p), nil
}
