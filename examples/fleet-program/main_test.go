package main

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

// The tests of the examples hold what is printed against want.yaml; here is what happens when nobody takes it.
func TestAllKeysAreTakenBack(t *testing.T) {
	t.Parallel()

	tailnet := tailnettest.NewServer(t)
	variables := map[string]string{}

	for _, variable := range tailnet.Environ(tailnet.AddAPIToken()) {
		name, value, _ := strings.Cut(variable, "=")
		variables[name] = value
	}

	reader, writer := io.Pipe()
	broken := errors.New("nobody reads")
	require.NoError(t, reader.CloseWithError(broken))

	err := run(t.Context(), func(name string) (string, bool) { value, ok := variables[name]; return value, ok }, writer) //nolint:nlreturn // one line
	require.ErrorIs(t, err, broken)
	assert.Len(t, tailnet.Keys(), 3)
	assert.Empty(t, tailnet.LiveKeys())
}
