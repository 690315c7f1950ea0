package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What somebody else has written meanwhile stays: a bridge file that init would write, a talosconfig that access has read.
func TestFilesOfOthersStay(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("theirs"), 0o600))

	require.ErrorIs(t, writeNew(path, []byte("ours")), os.ErrExist)
	require.ErrorContains(t, (&talosContext{path: path, before: []byte("as it was"), text: []byte("ours")}).write(t.Context()), "was changed meanwhile")

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "theirs", string(text))

	require.NoError(t, (&talosContext{path: path, before: []byte("theirs"), text: []byte("ours")}).write(t.Context()))

	text, err = os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "ours", string(text))
}
