package patch_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/types/k8s"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const goldenDir = "testdata/golden"

func goldenFile(c goldenCase, contract *config.VersionContract) string {
	return filepath.Join(goldenDir, c.name+"_"+contract.String()+".yaml")
}

func redactedFile(file string) string { return strings.TrimSuffix(file, ".yaml") + ".redacted.yaml" }

// Other repositories hold our bytes: they change in a major version only.
func TestGolden(t *testing.T) {
	t.Parallel()

	for _, c := range goldenCases() {
		for _, contract := range c.versions() {
			t.Run(c.name+"_"+contract.String(), func(t *testing.T) {
				t.Parallel()

				made := c.patch(t, contract)

				text, err := made.Bytes()
				require.NoError(t, err)

				redacted, err := made.Redacted()
				require.NoError(t, err)

				file := goldenFile(c, contract)

				if *update {
					require.NoError(t, os.WriteFile(file, text, 0o600))
					require.NoError(t, os.WriteFile(redactedFile(file), redacted, 0o600))
				}

				assertFile(t, file, text)
				assertFile(t, redactedFile(file), redacted)

				assert.NotContains(t, string(redacted), "EXAMPLE")

				if c.key != "none" {
					assert.Equal(t, strings.ReplaceAll(string(text), c.secret(), "[redacted]"), strings.ReplaceAll(string(redacted), "'[redacted]'", "[redacted]"),
						"the redacted form differs in the key only")
				}
			})
		}
	}
}

func assertFile(t *testing.T, file string, text []byte) {
	t.Helper()

	want, err := os.ReadFile(file)
	require.NoError(t, err, "run go test ./patch -update")
	assert.Equal(t, string(want), string(text), file)
}

// A golden file that no case makes is a promise that nobody checks.
func TestNoStaleGoldenFile(t *testing.T) {
	t.Parallel()

	var made []string

	for _, c := range goldenCases() {
		for _, contract := range c.versions() {
			file := goldenFile(c, contract)
			made = append(made, file, redactedFile(file))
		}
	}

	found, err := filepath.Glob(goldenDir + "/*")
	require.NoError(t, err)

	slices.Sort(made)
	assert.Equal(t, made, found)
}

// The bytes are those that Talos's own encoder makes of the documents, as far as it leaves out what is empty.
func TestBytesAreTalosEncoding(t *testing.T) {
	t.Parallel()

	for _, c := range goldenCases() {
		if c.replaces {
			continue // what deletes has no typed form
		}

		made := c.patch(t, config.TalosVersion1_14)

		documents, err := made.Documents()
		require.NoError(t, err)

		text, err := made.Bytes()
		require.NoError(t, err)

		texts := strings.Split(string(text), "---\n")
		require.Len(t, texts, len(documents))

		for i, document := range documents {
			if document.Kind() == v1alpha1.Version || document.Kind() == k8s.KubeAPIServerConfig {
				continue
			}

			want, err := encoder.NewEncoder(document, encoder.WithComments(encoder.CommentsDisabled)).Encode()
			require.NoError(t, err)
			assert.Equal(t, string(want), texts[i], c.name)
		}
	}
}
