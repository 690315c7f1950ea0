package atomicfile_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestReplaceKeepsExtendedAttributes(t *testing.T) {
	t.Parallel()

	path := file(t, "before")
	if err := unix.Setxattr(path, "user.origin", []byte("talosctl"), 0); err != nil {
		t.Skip("no extended attributes here: " + err.Error())
	}

	require.NoError(t, open(t, path).Replace([]byte("after")))
	holds(t, path, "after")

	value := make([]byte, 32)
	n, err := unix.Getxattr(path, "user.origin", value)
	require.NoError(t, err)
	assert.Equal(t, "talosctl", string(value[:n]))
}
