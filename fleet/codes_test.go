package fleet_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each code of a node is explained where those of verify are.
func TestCodesAreDocumented(t *testing.T) {
	t.Parallel()

	docs, err := os.ReadFile("../docs/verify.md")
	require.NoError(t, err)

	file, err := parser.ParseFile(token.NewFileSet(), "decide.go", nil, 0)
	require.NoError(t, err)

	codes := 0

	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}

		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Code" {
			return true
		}

		literal, ok := spec.Values[0].(*ast.BasicLit)
		require.True(t, ok)

		code, err := strconv.Unquote(literal.Value)
		require.NoError(t, err)
		assert.Contains(t, string(docs), "| `"+code+"` |")

		codes++

		return true
	})

	assert.Greater(t, codes, 10)
}
