package docs_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
)

var (
	goBlock   = regexp.MustCompile("(?m)^```go\n((?s:.*?))\n```$")
	yamlBlock = regexp.MustCompile("(?m)^```yaml\n(# bridge.yaml(?s:.*?))\n```$")
)

// imports are the packages that Go snippets may use.
var imports = map[string]string{
	"authkey": "github.com/talos-tsbridge/talos-tsbridge/authkey",
	"config":  "github.com/siderolabs/talos/pkg/machinery/config",
	"fleet":   "github.com/talos-tsbridge/talos-tsbridge/fleet",
	"nodeip":  "github.com/talos-tsbridge/talos-tsbridge/nodeip",
	"os":      "os",
	"patch":   "github.com/talos-tsbridge/talos-tsbridge/patch",
}

// Go snippets are the body of a function that compiles.
func TestGoSnippets(t *testing.T) {
	t.Parallel()

	found := 0

	for name, text := range documents(t) {
		for _, match := range goBlock.FindAllStringSubmatch(text, -1) {
			found++

			file := filepath.Join(t.TempDir(), "snippet.go")
			require.NoError(t, os.WriteFile(file, []byte(wrapped(t, match[1])), 0o600))

			build := exec.CommandContext(t.Context(), "go", "build", file)
			build.Dir = root
			output, err := build.CombinedOutput()
			assert.NoError(t, err, "%s: %s", name, output)
		}
	}

	assert.Positive(t, found)
}

// wrapped returns the file that a snippet is a part of: its imports stand before it, and what it makes is used.
func wrapped(t *testing.T, snippet string) string {
	t.Helper()

	body := "func snippet() {\n" + snippet + "\n"
	parsed, err := parser.ParseFile(token.NewFileSet(), "snippet.go", "package snippet\n"+body+"}\n", 0)
	require.NoError(t, err)

	head := "package snippet\n"
	used, made := map[string]bool{}, map[string]bool{}

	ast.Inspect(parsed, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.SelectorExpr:
			if name, ok := node.X.(*ast.Ident); ok && imports[name.Name] != "" && !used[name.Name] {
				used[name.Name] = true
				head += fmt.Sprintf("import %q\n", imports[name.Name])
			}
		case *ast.AssignStmt:
			for _, left := range node.Lhs {
				if name, ok := left.(*ast.Ident); ok && !made[name.Name] {
					made[name.Name] = true
					body += "_ = " + name.Name + "\n"
				}
			}
		}

		return true
	})

	return head + body + "}\n"
}

// A bridge.yaml in the documents is one.
func TestBridgeFiles(t *testing.T) {
	t.Parallel()

	found := 0

	for name, text := range documents(t) {
		for _, match := range yamlBlock.FindAllStringSubmatch(text, -1) {
			found++

			file, err := fleet.Parse("bridge.yaml", []byte(match[1]))
			require.NoError(t, err, name)

			_, err = file.Plan(fleet.PlanOptions{NeedsAddress: true})
			assert.NoError(t, err, name)
		}
	}

	assert.Positive(t, found)
}
