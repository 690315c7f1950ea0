package docs_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
)

//go:generate go test -run ^TestReleases$ -update .

var update = flag.Bool("update", false, "write the row of the newest release in docs/compatibility.md anew")

var (
	newestRelease = regexp.MustCompile(`(?m)^## (\d+\.\d+)\.\d+`)
	matrixMinors  = regexp.MustCompile(`(?m)^\| contract \(patches\) \| (v.*) \|$`)
	firstRow      = regexp.MustCompile(`(\|---\|---\|---\|---\|\n)(\| (\d+\.\d+) \|[^\n]*\n)`)
)

// The table of releases begins with the row of the newest one, which is made from the change log, the matrix and the modules
// that are built and tested with. A new release gets a row of its own; those of earlier ones stay.
func TestReleases(t *testing.T) {
	t.Parallel()

	const file = "compatibility.md"

	changes, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	require.NoError(t, err)

	text, err := os.ReadFile(file)
	require.NoError(t, err)

	release := newestRelease.FindSubmatch(changes)
	require.NotNil(t, release, "CHANGELOG.md has no release")

	matrix := matrixMinors.FindSubmatch(text)
	require.NotNil(t, matrix, "there is no matrix")

	minors := strings.Split(string(matrix[1]), " | ")
	oldest, newest := minorOf(minors[0]), minorOf(minors[len(minors)-1])
	assert.Equal(t, contract.Oldest.String(), "v"+oldest, "the matrix begins with the oldest supported contract")
	assert.Equal(t, contract.Newest.String(), "v"+newest, "the matrix ends with the newest supported contract")

	want := fmt.Sprintf("| %s | %s to %s | %s | %s |\n", release[1], oldest, newest,
		required(t, "go.mod", "github.com/siderolabs/talos/pkg/machinery"), required(t, "internal/e2e/tailnet/go.mod", "tailscale.com"))

	row := firstRow.FindSubmatch(text)
	require.NotNil(t, row, "there is no table of releases")

	if *update && string(row[2]) != want {
		instead := want
		if string(row[3]) != string(release[1]) {
			instead += string(row[2])
		}

		changed := strings.Replace(string(text), string(row[0]), string(row[1])+instead, 1)
		require.NoError(t, os.WriteFile(file, []byte(changed), 0o600))

		return
	}

	assert.Equal(t, want, string(row[2]), "write it anew with: go test ./docs -update")
}

// minorOf returns 1.14 of v1.14.1.
func minorOf(version string) string {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)

	return strings.Join(parts[:2], ".")
}

// required returns the version of a module that a go.mod asks for, without its v.
func required(t *testing.T, file, module string) string {
	t.Helper()

	output, err := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json", filepath.Join(root, file)).Output()
	require.NoError(t, err)

	var parsed struct {
		Require []struct{ Path, Version string }
	}

	require.NoError(t, json.Unmarshal(output, &parsed))

	for _, one := range parsed.Require {
		if one.Path == module {
			return strings.TrimPrefix(one.Version, "v")
		}
	}

	require.Fail(t, "not required", "%s by %s", module, file)

	return ""
}
