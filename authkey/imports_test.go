package authkey_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The key alone has no network in it, and nothing of others but the one package that the system's own calls take.
func TestImports(t *testing.T) {
	t.Parallel()

	output, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)

	require.Contains(t, string(output), "/internal/secret\n")

	for path := range strings.FieldsSeq(string(output)) {
		assert.NotEqual(t, "net/http", path)

		if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") && path != "golang.org/x/sys/unix" {
			assert.True(t, strings.HasPrefix(path, "github.com/talos-tsbridge/talos-tsbridge/"), path)
		}
	}
}
