package authkey_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The fewer places let the secret out, the easier it is to see that none lets it out where it should not. Each one
// beyond this package is listed here.
func TestRevealIsCalledWhereItMustBe(t *testing.T) {
	t.Parallel()

	allowed := []string{
		"cmd/talos-tsbridge/key_command.go", // key mint
		"patch/service.go",                  // the document
	}

	var found []string

	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && (entry.Name() == "testdata" || path == filepath.Join("..", "authkey") || path == filepath.Join("..", "internal", "e2e")) {
			if err == nil {
				err = filepath.SkipDir
			}

			return err
		}

		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}

		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}

		ast.Inspect(file, func(node ast.Node) bool {
			if selector, ok := node.(*ast.SelectorExpr); ok && selector.Sel.Name == "Reveal" {
				found = append(found, filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator))))
			}

			return true
		})

		return nil
	}))

	slices.Sort(found)
	assert.Equal(t, allowed, found)
}
