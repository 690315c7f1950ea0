//go:build unix

package ctxio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// OpenWriter opens the FIFO or device at path for writing. A FIFO is open once somebody reads it.
func OpenWriter(ctx context.Context, path string) (*os.File, error) {
	const tryAgain = 10 * time.Millisecond

	for {
		// a FIFO that nobody reads is an error that way, instead of a call that cannot be ended
		file, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
		if !errors.Is(err, unix.ENXIO) {
			return file, err
		}

		if info, statErr := os.Stat(path); statErr != nil || info.Mode()&fs.ModeNamedPipe == 0 {
			return nil, err
		}

		select {
		case <-time.After(tryAgain):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// writeFile returns how much of the text is in the file, also when ctx ended.
func writeFile(ctx context.Context, file *os.File, text []byte) (written int, err error) {
	ended, end, err := os.Pipe()
	if err != nil {
		return 0, err
	}

	defer ended.Close() //nolint:errcheck // nothing was written

	stop := context.AfterFunc(ctx, func() { _ = end.Close() })

	defer func() {
		if stop() {
			_ = end.Close()
		}
	}()

	connection, err := file.SyscallConn()
	if err != nil {
		return 0, err
	}

	controlErr := connection.Control(func(fd uintptr) {
		enlarge(int(fd), len(text))

		for written < len(text) && err == nil {
			var n int

			if err = wait(ctx, int(fd), int(ended.Fd())); err == nil {
				n, err = writeSome(int(fd), text[written:])
				written += n
			}
		}
	})

	if err != nil && context.Cause(ctx) == nil {
		err = fmt.Errorf("write %s: %w", file.Name(), err)
	}

	return written, errors.Join(err, controlErr)
}

// wait waits until the descriptor takes something. It fails with the cause of ctx, which is over when ended is closed.
func wait(ctx context.Context, descriptor, ended int) error {
	ready := []unix.PollFd{{Fd: int32(descriptor), Events: unix.POLLOUT}, {Fd: int32(ended), Events: unix.POLLIN}} //nolint:gosec // descriptors are small

	for {
		_, err := unix.Poll(ready, -1)

		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case ready[0].Revents != 0: // that it failed, writing tells
			return nil
		case ready[1].Revents != 0:
			return context.Cause(ctx)
		}
	}
}

// writeSome writes as much as a pipe takes at once when it takes anything, so that writing does not wait.
func writeSome(fd int, text []byte) (int, error) {
	atOnce := 512 // as POSIX has it
	if runtime.GOOS == "linux" {
		atOnce = 4096
	}

	n, err := unix.Write(fd, text[:min(len(text), atOnce)])
	if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
		err = nil
	}

	return max(n, 0), err
}
