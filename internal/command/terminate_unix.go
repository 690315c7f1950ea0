//go:build !windows

package command

import (
	"os"
	"syscall"
)

// terminate asks a program to end; after the grace it is killed.
func terminate(process *os.Process) error { return process.Signal(syscall.SIGTERM) }
