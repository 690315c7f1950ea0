package main

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	// exitUnseen is for what could not be looked at, while nothing was found to be wrong.
	exitUnseen = 3
)

// usageError is an error in what the user wrote.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// exitError is an error with an exit code of its own.
type exitError struct {
	error
	code int
}

func (e exitError) Unwrap() error { return e.error }

// unseen is an error over which something could not be looked at, unless it is one in what the user wrote.
func unseen(err error) error {
	if _, ok := errors.AsType[usageError](err); ok {
		return err
	}

	return exitError{err, exitUnseen}
}

// childExit is the exit code of a command that failed, and has said why.
type childExit int

func (e childExit) Error() string { return fmt.Sprintf("the command failed with exit code %d", int(e)) }

func exitOf(exit *exec.ExitError) childExit {
	const signalled = 128 // as a shell reports it

	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return childExit(signalled + int(status.Signal()))
	}

	return childExit(exit.ExitCode())
}

// codeOf returns the exit code that tells of an error.
func codeOf(err error) int {
	if err == nil {
		return exitDone
	}

	if child, ok := errors.AsType[childExit](err); ok {
		return int(child)
	}

	if _, ok := errors.AsType[stopError](err); ok {
		return exitFailed
	}

	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}

	if failure, ok := errors.AsType[exitError](err); ok {
		return failure.code
	}

	return exitFailed
}
