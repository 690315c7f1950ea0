package pipes

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

// Command is a command and what its arguments stand for.
type Command struct {
	// Args are the program, looked for as a shell does, and its arguments.
	Args []string
	// Payloads are the texts that arguments stand for.
	Payloads []Payload

	Env            []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	// Started gets the process once it runs, to pass signals on to it. Default: nothing.
	Started func(*os.Process)
}

// Payload is a text that an argument stands for.
type Payload struct {
	// Argument is the index of the argument in [Command.Args].
	Argument int
	// Prefix is what the argument begins with; the name to open comes behind it.
	Prefix string
	Text   []byte
}

// Use tells what became of a payload.
type Use struct {
	// Argument is the argument that the command got.
	Argument string
	// Path is the name to open, such as /dev/fd/3.
	Path string
	// Readers is how often the payload was opened, or 1 where it was read without being opened. Two processes that open it
	// in the same instant may count as one.
	Readers int
	// Unknown is set where the system does not tell whether the payload was read.
	Unknown bool
}

// source is a payload as the system offers it to the command.
type source interface {
	// file is what the command inherits.
	file() *os.File
	// start is called once the command runs.
	start()
	// use fills in what became of it, once the command has ended.
	use(*Use)
	close()
}

// firstExtraFile is the descriptor of the first of [exec.Cmd.ExtraFiles].
const firstExtraFile = 3

// RepeatedReads reports whether each reader of a payload gets the whole of it. Where it is false, only the first does.
const RepeatedReads = repeatedReads

// Find fails where there is no program of a name, as [Command.Run] would.
func Find(program string) error {
	if _, err := exec.LookPath(program); err != nil {
		return cannotRun(err)
	}

	return nil
}

func cannotRun(err error) error { return fmt.Errorf("the command cannot be run: %w", err) }

// Run runs the command to its end, and tells what became of each payload, in their order, also beside an error, unless the
// command cannot be run.
//
// The error is an [*exec.ExitError] where the command ran and failed. The command is sent SIGTERM when ctx ends; it has the
// last word.
func (c *Command) Run(ctx context.Context) ([]Use, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}

	sources, err := newSources(c.Payloads)
	if err != nil {
		return nil, fmt.Errorf("handing over to the command: %w", err)
	}

	defer closeAll(sources)

	args := slices.Clone(c.Args)
	uses := make([]Use, len(sources))

	// the context does not end the command: it has the last word
	child := exec.Command(args[0]) //nolint:gosec,noctx // the command is what the user wants to run
	child.Env, child.Stdin, child.Stdout, child.Stderr = c.Env, c.Stdin, c.Stdout, c.Stderr

	for i, one := range sources {
		payload := c.Payloads[i]
		uses[i].Path = fmt.Sprintf("/dev/fd/%d", firstExtraFile+i)
		uses[i].Argument = payload.Prefix + uses[i].Path
		args[payload.Argument] = uses[i].Argument
		child.ExtraFiles = append(child.ExtraFiles, one.file())
	}

	child.Args = args

	if err := child.Start(); err != nil {
		return nil, cannotRun(err)
	}

	stop := context.AfterFunc(ctx, func() { _ = child.Process.Signal(syscall.SIGTERM) }) // it may have ended by now
	defer stop()

	if c.Started != nil {
		c.Started(child.Process)
	}

	for _, one := range sources {
		one.start()
	}

	err = child.Wait()

	for i, one := range sources {
		one.use(&uses[i])
	}

	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		err = fmt.Errorf("the command: %w", err)
	}

	return uses, err
}

func closeAll(sources []source) {
	for _, one := range sources {
		one.close()
	}
}
