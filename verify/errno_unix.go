//go:build !windows

package verify

import "syscall"

// The errors of the system that have an outcome of their own.
var (
	errnoRefused     = []error{syscall.ECONNREFUSED}
	errnoUnreachable = []error{syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.EADDRNOTAVAIL}
	errnoReset       = []error{syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED}
	errnoExhausted   = []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM}
)
