//go:build unix

package main

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// isWritable reports whether a descriptor of this process is open for writing.
func isWritable(descriptor int) bool {
	mode, err := unix.FcntlInt(uintptr(descriptor), unix.F_GETFL, 0)

	return err == nil && mode&unix.O_ACCMODE != unix.O_RDONLY
}

// isClosed reports whether f was closed when the process started: then the Go runtime opens the null device in its place,
// for reading and writing, which a shell's > /dev/null does not.
func isClosed(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return true
	}

	null, err := os.Stat(os.DevNull)
	if err != nil || !os.SameFile(info, null) {
		return false
	}

	mode, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)

	return err == nil && mode&unix.O_ACCMODE == syscall.O_RDWR
}

// duplicate returns a file to write to a descriptor with, which can be closed.
func duplicate(descriptor int) (*os.File, error) {
	other, err := unix.FcntlInt(uintptr(descriptor), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}

	return os.NewFile(uintptr(other), fmt.Sprintf("/dev/fd/%d", descriptor)), nil
}
