package ctxio_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/ctxio"
)

var errStopped = errors.New("stopped")

// stopped returns a context that ends once something waits with it.
func stopped(t *testing.T) context.Context {
	t.Helper()

	ctx, cancel := context.WithCancelCause(t.Context())

	go cancel(errStopped)

	return ctx
}

func TestReadFile(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "input")
	require.NoError(t, os.WriteFile(path, []byte("text"), 0o600))

	text, err := ctxio.ReadFile(t.Context(), path, 4)
	require.NoError(t, err)
	assert.Equal(t, "text", string(text))

	_, err = ctxio.ReadFile(t.Context(), path, 3)
	require.ErrorContains(t, err, path+": more than 3 bytes")

	_, err = ctxio.ReadFile(t.Context(), path+"-missing", 4)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestReadAllEnds(t *testing.T) {
	t.Parallel()

	endless, _ := io.Pipe()

	_, err := ctxio.ReadAll(stopped(t), endless, ctxio.MaxInput)
	require.ErrorIs(t, err, errStopped)

	_, err = ctxio.ReadAll(t.Context(), iotest.ErrReader(io.ErrUnexpectedEOF), ctxio.MaxInput)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

// pipe returns a pipe that holds less than text.
func pipe(t *testing.T, size int) (reader, writer *os.File, text []byte) {
	t.Helper()

	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = reader.Close(), writer.Close() })

	return reader, writer, bytes.Repeat([]byte("0123456789abcde\n"), size/16)
}

func TestWriteReachesASlowReader(t *testing.T) {
	t.Parallel()

	reader, writer, text := pipe(t, 3<<20)
	got := make(chan []byte, 1)

	go func() {
		all, _ := io.ReadAll(iotest.OneByteReader(io.LimitReader(reader, 1000)))
		rest, _ := io.ReadAll(reader)
		got <- append(all, rest...)
	}()

	require.NoError(t, ctxio.Write(t.Context(), writer, text))
	require.NoError(t, writer.Close())
	assert.True(t, bytes.Equal(text, <-got))
}

// A reader that reads nothing holds a write up until the context ends: then a part is written.
func TestWriteIsCut(t *testing.T) {
	t.Parallel()

	reader, writer, text := pipe(t, 3<<20)
	err := ctxio.Write(stopped(t), writer, text)

	if errors.Is(err, ctxio.ErrCut) {
		require.ErrorIs(t, err, errStopped)
		require.NoError(t, writer.Close())

		part, err := io.ReadAll(reader)
		require.NoError(t, err)
		assert.True(t, bytes.HasPrefix(text, part))
		assert.NotEmpty(t, part)

		return
	}

	require.ErrorIs(t, err, errStopped) // it ended before the first byte
}

// What fits is written whole or not at all, whenever the context ends.
func TestWriteThatFitsIsNotCut(t *testing.T) {
	t.Parallel()

	for range 100 {
		reader, writer, text := pipe(t, 32<<10)
		err := ctxio.Write(stopped(t), writer, text)
		require.NoError(t, writer.Close())

		got, readErr := io.ReadAll(reader)
		require.NoError(t, readErr)

		if err == nil {
			assert.Len(t, got, len(text))
		} else {
			assert.Empty(t, got)
		}
	}
}

func TestWriteToNobody(t *testing.T) {
	t.Parallel()

	reader, writer, text := pipe(t, 1<<10)
	require.NoError(t, reader.Close())
	require.Error(t, ctxio.Write(t.Context(), writer, text))
}
