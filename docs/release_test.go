package docs_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The GitHub Action installs a release whose archive has its checksum, and nothing of any other.
func TestAction(t *testing.T) {
	t.Parallel()

	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil || runtime.GOOS == "windows" {
			t.Skip("the script of the GitHub Action: there is no " + program)
		}
	}

	archive := archiveOf(t, "talos-tsbridge", "#!/bin/sh\necho installed\n")
	sum := sha256.Sum256(archive)
	right, wrong := hex.EncodeToString(sum[:]), hex.EncodeToString(make([]byte, sha256.Size))
	name := fmt.Sprintf("talos-tsbridge_0.1.0_%s_%s.tar.gz", runtime.GOOS, runtime.GOARCH)

	for _, test := range []struct {
		name, given, published string
		installs               bool
	}{
		{"the published checksum", "", right, true},
		{"a given one", right, wrong, true},
		{"another archive than the published", "", wrong, false},
		{"another than was given", wrong, right, false},
		{"no checksum", "", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			releases := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/v0.1.0/" + name:
					_, _ = w.Write(archive)
				case "/v0.1.0/checksums.txt":
					_, _ = fmt.Fprintf(w, "%s  other.tar.gz\n", wrong)

					if test.published != "" {
						_, _ = fmt.Fprintf(w, "%s  %s\n", test.published, name)
					}
				default:
					http.NotFound(w, r)
				}
			}))
			t.Cleanup(releases.Close)

			folder := t.TempDir()
			paths := filepath.Join(folder, "path")

			script := exec.CommandContext(t.Context(), "bash", "../.github/install.sh")
			script.Env = []string{
				"PATH=" + os.Getenv("PATH"), "VERSION=v0.1.0", "BASE=" + releases.URL, "SHA256=" + test.given, "RUNNER_TEMP=" + folder, "GITHUB_PATH=" + paths,
			}

			output, err := script.CombinedOutput()

			if !test.installs {
				require.Error(t, err)
				assert.NoFileExists(t, paths)
				assert.NoFileExists(t, filepath.Join(folder, "talos-tsbridge", "talos-tsbridge"))

				return
			}

			require.NoError(t, err, string(output))

			installed, err := os.ReadFile(paths)
			require.NoError(t, err)

			said, err := exec.CommandContext(t.Context(), filepath.Join(string(bytes.TrimSpace(installed)), "talos-tsbridge")).Output()
			require.NoError(t, err)
			assert.Equal(t, "installed\n", string(said))
		})
	}
}

// archiveOf returns an archive with one program.
func archiveOf(t *testing.T, name, text string) []byte {
	t.Helper()

	var archive bytes.Buffer

	compressed := gzip.NewWriter(&archive)
	files := tar.NewWriter(compressed)

	require.NoError(t, files.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text))}))
	_, err := files.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, files.Close())
	require.NoError(t, compressed.Close())

	return archive.Bytes()
}

// The notes of a release are its part of the change log, and a release without one is not made.
func TestReleaseNotes(t *testing.T) {
	t.Parallel()

	notes := func(version string) ([]byte, error) {
		return exec.CommandContext(t.Context(), "bash", "../.ci/release-notes", version).Output()
	}

	text, err := notes("v0.1.0")
	require.NoError(t, err)
	assert.Contains(t, string(text), "The first release.")
	assert.NotContains(t, string(text), "## ")

	_, err = notes("v99.0.0")
	assert.Error(t, err)
}
