package atomicfile

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// keepAttributes copies extended attributes, which access control lists and SELinux's labels are too.
func keepAttributes(path string, from, to *os.File) error {
	names, err := attributes(from)
	if err != nil {
		return fmt.Errorf("%s: extended attributes: %w", path, err)
	}

	for _, name := range names {
		value, err := attribute(from, name)
		if err != nil {
			return fmt.Errorf("%s: extended attribute %s: %w", path, name, err)
		}

		if has, err := attribute(to, name); err == nil && bytes.Equal(has, value) {
			continue
		}

		if err := unix.Fsetxattr(int(to.Fd()), name, value, 0); err != nil {
			return fmt.Errorf("%s has the extended attribute %s, which a new file cannot be given: %w", path, name, err)
		}
	}

	// what a directory gives to its new files only, such as a default access control list
	added, err := attributes(to)
	if err != nil {
		return fmt.Errorf("%s: extended attributes: %w", path, err)
	}

	for _, name := range added {
		if !slices.Contains(names, name) {
			if err := unix.Fremovexattr(int(to.Fd()), name); err != nil {
				return fmt.Errorf("%s has no extended attribute %s, which a new file gets: %w", path, name, err)
			}
		}
	}

	return nil
}

func attributes(file *os.File) ([]string, error) {
	list, err := grow(func(buffer []byte) (int, error) { return unix.Flistxattr(int(file.Fd()), buffer) })
	if err != nil || len(list) == 0 {
		return nil, err
	}

	return strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00"), nil
}

func attribute(file *os.File, name string) ([]byte, error) {
	return grow(func(buffer []byte) (int, error) { return unix.Fgetxattr(int(file.Fd()), name, buffer) })
}

// grow calls read with a buffer that is large enough. A file system without attributes has none.
func grow(read func([]byte) (int, error)) ([]byte, error) {
	size, err := read(nil)
	if err == unix.ENOTSUP { //nolint:errorlint // a number of the kernel
		return nil, nil
	}

	if err != nil || size == 0 {
		return nil, err
	}

	buffer := make([]byte, size)
	size, err = read(buffer)

	return buffer[:max(size, 0)], err
}
