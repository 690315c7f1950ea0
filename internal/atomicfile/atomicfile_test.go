package atomicfile_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/atomicfile"
)

const limit = 1 << 20

// file makes a file in a folder of its own.
func file(t *testing.T, text string) string {
	t.Helper()

	path := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o640))
	require.NoError(t, os.Chmod(path, 0o640))

	return path
}

func open(t *testing.T, path string) *atomicfile.Edit {
	t.Helper()

	edit, err := atomicfile.Open(t.Context(), path, limit)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, edit.Close()) })

	return edit
}

// holds checks the text of a file, and that nothing else is in its folder.
func holds(t *testing.T, path, want string) {
	t.Helper()

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, want, string(text))

	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)

	for _, entry := range entries {
		assert.False(t, strings.HasPrefix(entry.Name(), "."), entry.Name())
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()

	path := file(t, "before")
	require.NoError(t, atomicfile.Write(path, []byte("after"), 0o600))
	holds(t, path, "after")

	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())

	link := filepath.Join(filepath.Dir(path), "link")
	require.NoError(t, os.Symlink(path, link))
	require.NoError(t, atomicfile.Write(link, []byte("through the link"), 0o600))
	holds(t, path, "through the link")

	require.Error(t, atomicfile.Write(filepath.Dir(path), nil, 0o600))
	require.Error(t, atomicfile.Write("/dev/null", nil, 0o600))
	require.ErrorIs(t, atomicfile.Write(path+"/missing/file", nil, 0o600), errNotDirectory)
}

func TestReplace(t *testing.T) {
	t.Parallel()

	path := file(t, "before")
	require.NoError(t, os.Chmod(path, 0o751|os.ModeSetuid))

	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(path, link))

	edit := open(t, link)
	assert.Equal(t, "before", string(edit.Text()))
	require.NoError(t, edit.Replace([]byte("after")))
	holds(t, path, "after")

	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, 0o751|os.ModeSetuid, info.Mode())
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()

	linked := file(t, "text")
	require.NoError(t, os.Link(linked, linked+"-2"))

	for path, cause := range map[string]string{
		t.TempDir():                           "is a directory",
		"/dev/null":                           "is no regular file",
		file(t, "") + "-missing":              "no such file",
		file(t, strings.Repeat("x", limit+1)): "which is too long",
		linked:                                "has 2 hard links",
	} {
		_, err := atomicfile.Open(t.Context(), path, limit)
		require.ErrorContains(t, err, cause, path)
	}

	holds(t, linked, "text")
}

// What somebody else wrote while the new text was made is not lost.
func TestReplaceRefusesAFileThatChanged(t *testing.T) {
	t.Parallel()

	path := file(t, "before")
	edit := open(t, path)

	require.NoError(t, os.WriteFile(path, []byte("theirs"), 0o600))
	require.Error(t, edit.Replace([]byte("ours")))
	holds(t, path, "theirs")

	path = file(t, "before")
	edit = open(t, path)

	require.NoError(t, atomicfile.Write(path, []byte("before"), 0o600)) // another file of the same text
	require.Error(t, edit.Replace([]byte("ours")))
	holds(t, path, "before")
}

// Each of many edits at a time starts from what the one before it left.
func TestEditsWaitForEachOther(t *testing.T) {
	t.Parallel()

	if !locks {
		t.Skip("no file locks here")
	}

	path := file(t, "0")

	var group sync.WaitGroup

	for range 20 {
		group.Go(func() {
			edit, err := atomicfile.Open(t.Context(), path, limit)
			if !assert.NoError(t, err) {
				return
			}

			defer edit.Close() //nolint:errcheck // nothing was written

			n, err := strconv.Atoi(string(edit.Text()))
			assert.NoError(t, err)
			assert.NoError(t, edit.Replace([]byte(strconv.Itoa(n+1))))
		})
	}

	group.Wait()
	holds(t, path, "20")
}

func TestWaitingEnds(t *testing.T) {
	t.Parallel()

	if !locks {
		t.Skip("no file locks here")
	}

	path := file(t, "text")
	open(t, path)

	errStopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())

	go cancel(errStopped)

	_, err := atomicfile.Open(ctx, path, limit)
	require.ErrorIs(t, err, errStopped)
}
