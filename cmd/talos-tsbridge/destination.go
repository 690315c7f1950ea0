package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/talos-tsbridge/talos-tsbridge/internal/atomicfile"
	"github.com/talos-tsbridge/talos-tsbridge/internal/ctxio"
	"github.com/talos-tsbridge/talos-tsbridge/internal/lazyregexp"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// destination is where a result goes: to a descriptor of this process, or to a file.
type destination struct {
	descriptor int
	// path is "" for a descriptor.
	path string
}

const (
	stdinDescriptor  = 0
	stdoutDescriptor = 1
)

// formats are what -o takes in other commands, and in kubectl and talosctl.
var formats = []string{"json", "yaml", "yml", "table", "wide"}

// destinationOf reads the value of --output. It refuses what plainly is not meant as a file.
func destinationOf(output string) (destination, error) {
	if output == "" || output == "-" {
		return destination{descriptor: stdoutDescriptor}, nil
	}

	switch {
	case secret.Is(output):
		return destination{}, usagef("--output takes the name of a file, and what it was given looks like a key")
	case slices.Contains(formats, output):
		return destination{}, usagef("--output takes a file, and %s is the name of a format: write -o ./%s for a file of that name", output, output)
	}

	descriptor, ok := descriptorOf(output)
	if !ok {
		return destination{path: output}, nil
	}

	if descriptor == stdinDescriptor || !isWritable(descriptor) {
		return destination{}, usagef("--output %s cannot be written to: it is not open for writing", output)
	}

	return destination{descriptor: descriptor}, nil
}

var descriptorNames = lazyregexp.New(`^/(?:dev|proc/(?:self|thread-self|[0-9]+))/fd/([0-9]{1,6})$`)

// descriptorOf returns the descriptor of this process that a path is a name of, also by way of symbolic links.
func descriptorOf(path string) (int, bool) {
	const mostLinks = 40

	for range mostLinks {
		path = filepath.Clean(path)

		switch path {
		case "/dev/stdin":
			return stdinDescriptor, true
		case "/dev/stdout":
			return stdoutDescriptor, true
		case "/dev/stderr":
			const stderrDescriptor = 2

			return stderrDescriptor, true
		}

		if match := descriptorNames().FindStringSubmatch(path); match != nil {
			descriptor, err := strconv.Atoi(match[1])

			return descriptor, err == nil
		}

		next, err := os.Readlink(path)
		if err != nil {
			return 0, false
		}

		if !filepath.IsAbs(next) {
			next = filepath.Join(filepath.Dir(path), next)
		}

		path = next
	}

	return 0, false
}

// write writes a text to the destination: a file is readable by its owner only, and is there whole or not at all.
func (p *program) writeTo(ctx context.Context, to destination, text []byte) error {
	const ownerOnly = 0o600

	switch info, err := os.Stat(to.path); {
	case to.path == "":
		return p.writeDescriptor(ctx, to.descriptor, text)
	case err == nil && !info.IsDir() && !info.Mode().IsRegular():
		return writeDevice(ctx, to.path, text)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("--output: %w", err)
	}

	if err := atomicfile.Write(to.path, text, ownerOnly); err != nil {
		return fmt.Errorf("--output: %w", err)
	}

	return nil
}

func (p *program) writeDescriptor(ctx context.Context, descriptor int, text []byte) error {
	name, w := "standard output", p.stdout

	if descriptor != stdoutDescriptor {
		name = fmt.Sprintf("--output /dev/fd/%d", descriptor)

		file, err := duplicate(descriptor)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}

		defer file.Close() //nolint:errcheck // whether it was written, the write tells

		w = file
	}

	return named(ctx, name, ctxio.Write(ctx, w, text))
}

// named names what could not be read or written, unless the run was stopped: that is no fault of it.
func named(ctx context.Context, name string, err error) error {
	if err == nil || context.Cause(ctx) != nil {
		return err
	}

	return fmt.Errorf("%s: %w", name, err)
}

// writeDevice writes to a FIFO, which waits for a reader, or to a device.
func writeDevice(ctx context.Context, path string, text []byte) (err error) {
	file, err := ctxio.OpenWriter(ctx, path)
	if err != nil {
		return named(ctx, "--output", err)
	}

	defer func() { err = errors.Join(err, file.Close()) }()

	return named(ctx, "--output", ctxio.Write(ctx, file, text))
}
