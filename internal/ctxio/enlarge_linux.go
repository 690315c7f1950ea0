package ctxio

import "golang.org/x/sys/unix"

// enlarge makes a pipe hold a text, so that a reader who is slow cuts nothing. What is no pipe refuses.
func enlarge(fd, size int) {
	const most = 1 << 20 // what a process without privileges may ask for

	if has, err := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0); err == nil && has < size {
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, min(size, most))
	}
}
