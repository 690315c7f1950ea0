package atomicfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Edit is a regular file that is read in order to be written back. Until it is closed, another Edit of the same file waits,
// in other processes too, on systems that have flock.
type Edit struct {
	path, target string
	file         *os.File
	info         fs.FileInfo
	text         []byte
}

// Open opens the file at path, or the one that a symbolic link leads to, and reads it. It waits for other edits of the file
// to be closed, but no longer than ctx.
//
// It fails for what is no regular file, for one of more than limit bytes, and for one that [Edit.Replace] could not make
// anew as it is: with other hard links, or an owner, a group, an access control list or extended attributes that this
// process may not set.
func Open(ctx context.Context, path string, limit int64) (*Edit, error) {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}

	// a FIFO must not be opened, which waits for somebody
	info, err := os.Stat(target)
	if err != nil {
		return nil, err
	}

	if err := mustBeRegular(path, info); err != nil {
		return nil, err
	}

	edit := &Edit{path: path, target: target}

	if err := edit.lock(ctx); err != nil {
		return nil, err
	}

	if err := edit.read(limit); err != nil {
		return nil, errors.Join(err, edit.Close())
	}

	return edit, nil
}

// lock opens the file and locks it. A file that another edit has replaced meanwhile is no longer the one at path.
func (e *Edit) lock(ctx context.Context) error {
	const tryAgain = 20 * time.Millisecond

	for {
		file, err := os.Open(e.target)
		if err != nil {
			return err
		}

		locked, err := tryLock(file)
		if err == nil && locked {
			e.file = file
			e.info, err = file.Stat()

			now, statErr := os.Stat(e.target)
			if err = errors.Join(err, statErr); err == nil && os.SameFile(e.info, now) {
				return nil
			}
		}

		if err = errors.Join(err, file.Close()); err != nil {
			return err
		}

		select {
		case <-time.After(tryAgain):
		case <-ctx.Done():
			return fmt.Errorf("waiting for another edit of %s: %w", e.path, context.Cause(ctx))
		}
	}
}

func (e *Edit) read(limit int64) error {
	text, err := io.ReadAll(io.LimitReader(e.file, limit+1))
	if err != nil {
		return err
	}

	if int64(len(text)) > limit {
		return fmt.Errorf("%s: more than %d bytes, which is too long", e.path, limit)
	}

	e.text = text

	if others := hardLinks(e.info); others > 1 {
		return fmt.Errorf("%s has %d hard links, and a new file would leave the others behind", e.path, others)
	}

	// so that what cannot be kept is known before anything is done for the result
	trial, err := create(e.target, nil, true, e.dress)
	if err != nil {
		return err
	}

	return os.Remove(trial)
}

// Text is what the file holds.
func (e *Edit) Text() []byte { return e.text }

// Replace makes the file hold data, at once or not at all, with owner, group, permissions, access control list and extended
// attributes as they are.
//
// It fails if the file is no longer as it was read. An edit in the instant between this look and the renaming is lost.
func (e *Edit) Replace(data []byte) error {
	file, err := create(e.target, data, true, e.dress)
	if err != nil {
		return err
	}

	if err := e.unchanged(); err != nil {
		return errors.Join(err, os.Remove(file))
	}

	return rename(file, e.target, true)
}

func (e *Edit) unchanged() error {
	now, err := os.Stat(e.target)
	if err != nil {
		return err
	}

	text, err := os.ReadFile(e.target)
	if err != nil {
		return err
	}

	if !os.SameFile(e.info, now) || !bytes.Equal(text, e.text) {
		return fmt.Errorf("%s was changed by another program meanwhile: nothing was written to it, run this again", e.path)
	}

	return nil
}

// dress gives a new file what the old one has beside its text.
func (e *Edit) dress(file *os.File) error {
	if err := keepOwner(e.path, file, e.info); err != nil {
		return err
	}

	// changing the owner takes bits away
	if err := file.Chmod(e.info.Mode()); err != nil {
		return err
	}

	return keepAttributes(e.path, e.file, file)
}

// Close lets other edits of the file go on.
func (e *Edit) Close() error { return e.file.Close() }
