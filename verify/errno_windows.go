package verify

import "syscall"

// The errors of the system that have an outcome of their own. Those that syscall names after Unix are never returned on
// Windows.
var (
	errnoRefused     = []error{syscall.Errno(10061)}                                             // WSAECONNREFUSED
	errnoUnreachable = []error{syscall.Errno(10051), syscall.Errno(10065), syscall.Errno(10049)} // WSAENETUNREACH, WSAEHOSTUNREACH, WSAEADDRNOTAVAIL
	errnoReset       = []error{syscall.Errno(10053), syscall.Errno(10054)}                       // WSAECONNABORTED, WSAECONNRESET
	errnoExhausted   = []error{syscall.Errno(10024), syscall.Errno(10055)}                       // WSAEMFILE, WSAENOBUFS
)
