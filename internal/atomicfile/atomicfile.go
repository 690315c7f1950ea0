// Package atomicfile writes files that are there whole or not at all.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Write writes data to the file at path, which then has the given permissions, whatever it had before. The file is made
// under another name beside path and renamed, so that nobody sees a part of it and a failure leaves the old one as it
// was and no other behind. A path that is a symbolic link is followed; one that is no regular file, such as a named pipe
// or /dev/stdout, is written to directly, because renaming would replace it.
func Write(path string, data []byte, permissions fs.FileMode) error {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		target, err = path, nil
	}

	if err != nil {
		return err
	}

	switch info, err := os.Stat(target); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a directory", path)
	case !info.Mode().IsRegular():
		return writeThrough(target, data)
	}

	return replace(target, data, permissions)
}

func writeThrough(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}

	_, err = file.Write(data)

	return errors.Join(err, file.Close())
}

func replace(path string, data []byte, permissions fs.FileMode) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}

	defer func() {
		if err != nil {
			_ = file.Close() // it may be closed already, and the first error is the one to report
			_ = os.Remove(file.Name())
		}
	}()

	if err := file.Chmod(permissions); err != nil {
		return err
	}

	if _, err := file.Write(data); err != nil {
		return err
	}

	if err := file.Sync(); err != nil {
		return err
	}

	if err := file.Close(); err != nil {
		return err
	}

	return os.Rename(file.Name(), path)
}
