// Package ctxio reads and writes what may never come to an end: a terminal that nobody types at, a FIFO whose other end
// nobody opens, a pipe that nobody reads. Each call ends with its context.
package ctxio

import (
	"context"
	"fmt"
	"io"
	"os"
)

// MaxInput bounds what is read of any input, in bytes. The largest machine configs, with manifests inside, have a few MiB.
const MaxInput = 64 << 20

// ReadFile reads a file, or a FIFO once somebody opens its other end.
//
// It fails for one of more than limit bytes, and with the cause of ctx when that ends first. An error names the path.
func ReadFile(ctx context.Context, path string, limit int64) ([]byte, error) {
	return await(ctx, func() ([]byte, error) {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}

		defer file.Close() //nolint:errcheck // nothing was written

		text, err := readAll(file, limit)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}

		return text, nil
	})
}

// ReadAll reads r to its end.
//
// It fails for more than limit bytes, and with the cause of ctx when that ends first; then what reads goes on reading, and
// nobody gets what it has read.
func ReadAll(ctx context.Context, r io.Reader, limit int64) ([]byte, error) {
	return await(ctx, func() ([]byte, error) { return readAll(r, limit) })
}

func readAll(r io.Reader, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))

	switch {
	case err != nil:
		return nil, err
	case int64(len(text)) > limit:
		return nil, fmt.Errorf("more than %d bytes, which is too long", limit)
	}

	return text, nil
}

// await returns what read does, unless ctx ends first.
func await(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}

	type answer struct {
		text []byte
		err  error
	}

	answers := make(chan answer, 1)

	go func() {
		text, err := read()
		answers <- answer{text, err}
	}()

	select {
	case got := <-answers:
		return got.text, got.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
