package ctxio_test

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/ctxio"
)

// A pipe is made to hold more than pipes do, so that a patch with files in it is there whole before anybody reads.
func TestWriteEnlargesAPipe(t *testing.T) {
	t.Parallel()

	reader, writer, text := pipe(t, 512<<10)
	require.NoError(t, ctxio.Write(t.Context(), writer, text))
	require.NoError(t, writer.Close())

	all, err := io.ReadAll(reader)
	require.NoError(t, err)
	assert.Len(t, all, len(text))
}
