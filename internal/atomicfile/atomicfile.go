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
// was and no other behind. A symbolic link is followed to its file. What is no regular file is refused: renaming would
// replace it.
//
// Data and name are on the disk when Write returns.
func Write(path string, data []byte, permissions fs.FileMode) error {
	return write(path, data, permissions, true)
}

// WriteUnsynced is [Write] for many files that are made again easily: what is on the disk after the machine loses its power
// may be of any time, and a file may be empty then.
func WriteUnsynced(path string, data []byte, permissions fs.FileMode) error {
	return write(path, data, permissions, false)
}

func write(path string, data []byte, permissions fs.FileMode, synced bool) error {
	target, err := writable(path)
	if err != nil {
		return err
	}

	file, err := create(target, data, synced, func(file *os.File) error { return file.Chmod(permissions) })
	if err != nil {
		return err
	}

	return rename(file, target, synced)
}

// writable returns the file that path leads to, which is there and regular or not there.
func writable(path string) (target string, err error) {
	target = path

	info, err := os.Lstat(path)
	if err == nil && info.Mode().Type() == fs.ModeSymlink {
		if target, err = filepath.EvalSymlinks(path); err == nil {
			info, err = os.Stat(target)
		}
	}

	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, nil // a link that leads nowhere is replaced
	case err != nil:
		return "", err
	}

	return target, mustBeRegular(path, info)
}

func mustBeRegular(path string, info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return fmt.Errorf("%s is a directory", path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file", path)
	}

	return nil
}

// create makes a file beside target, which holds data and is as dress makes it, and returns its name. A failure leaves
// none.
func create(target string, data []byte, synced bool, dress func(*os.File) error) (name string, err error) {
	file, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*")
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		failed.Path = target // nobody asked for the other name
	}

	if err != nil {
		return "", err
	}

	defer func() {
		err = errors.Join(err, file.Close())
		if err != nil {
			_ = os.Remove(file.Name()) // the first error is the one to report
		}
	}()

	if _, err := file.Write(data); err != nil {
		return "", err
	}

	// writing takes bits away
	if err := dress(file); err != nil {
		return "", err
	}

	if !synced {
		return file.Name(), nil
	}

	return file.Name(), file.Sync()
}

// rename gives the file its name, and removes it when that fails.
func rename(file, target string, synced bool) error {
	if err := os.Rename(file, target); err != nil {
		_ = os.Remove(file) // the first error is the one to report

		return err
	}

	if !synced {
		return nil
	}

	return syncDirectory(filepath.Dir(target))
}
