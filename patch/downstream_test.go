package patch_test

import (
	_ "embed"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

//go:embed testdata/downstream/service.yaml
var wantService string

// The golden test that a program with the function of Example_service has in its own repository. It fails where a new version of
// this package would change what the nodes of that program get: in a major version only.
func TestServiceIsGolden(t *testing.T) {
	t.Parallel()

	text, err := service("lab-1")
	require.NoError(t, err)
	assert.Equal(t, wantService, string(text))
}
