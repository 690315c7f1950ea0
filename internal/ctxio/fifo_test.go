//go:build unix

package ctxio_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/talos-tsbridge/talos-tsbridge/internal/ctxio"
)

func fifo(t *testing.T) string {
	t.Helper()

	path := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, unix.Mkfifo(path, 0o600))

	return path
}

func TestFIFOWithoutAnotherEnd(t *testing.T) {
	t.Parallel()

	_, err := ctxio.ReadFile(stopped(t), fifo(t), ctxio.MaxInput)
	require.ErrorIs(t, err, errStopped)

	_, err = ctxio.OpenWriter(stopped(t), fifo(t))
	require.ErrorIs(t, err, errStopped)
}

func TestFIFO(t *testing.T) {
	t.Parallel()

	path := fifo(t)
	text := make([]byte, 300_000)
	got := make(chan []byte, 1)

	go func() {
		all, err := ctxio.ReadFile(context.WithoutCancel(t.Context()), path, ctxio.MaxInput)
		assert.NoError(t, err)

		got <- all
	}()

	writer, err := ctxio.OpenWriter(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, ctxio.Write(t.Context(), writer, text))
	require.NoError(t, writer.Close())
	assert.Len(t, <-got, len(text))
}
