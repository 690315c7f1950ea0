//go:build unix

package atomicfile_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/atomicfile"
)

const locks = true

var errNotDirectory = syscall.ENOTDIR

// A file of another user stays theirs when root edits it.
func TestRootKeepsTheOwner(t *testing.T) {
	t.Parallel()

	path := file(t, "before")
	if err := os.Chown(path, 12345, 12346); err != nil {
		t.Skip("not root")
	}

	require.NoError(t, open(t, path).Replace([]byte("after")))

	info, err := os.Stat(path)
	require.NoError(t, err)

	status, ok := info.Sys().(*syscall.Stat_t)
	require.True(t, ok)
	assert.Equal(t, []uint32{12345, 12346}, []uint32{status.Uid, status.Gid})
}

// Anybody else cannot give it to them, and says so before anything is written.
func TestOthersRefuseAFileOfAnotherUser(t *testing.T) {
	t.Parallel()

	const variable = "ATOMICFILE_TEST_PATH"

	if path := os.Getenv(variable); path != "" {
		_, err := atomicfile.Open(t.Context(), path, limit)
		require.ErrorContains(t, err, "belongs to user 12345")

		return
	}

	path := file(t, "before")
	if err := os.Chown(path, 12345, 12346); err != nil {
		t.Skip("not root")
	}

	// the folders of tests and of their binaries are root's own
	public, err := os.MkdirTemp("/tmp", "atomicfile")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(public) })
	require.NoError(t, os.Chmod(public, 0o777))
	require.NoError(t, os.Rename(path, filepath.Join(public, "config.yaml")))
	require.NoError(t, os.Chmod(filepath.Join(public, "config.yaml"), 0o644))

	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skip("no /proc")
	}

	binary := filepath.Join(public, "test")
	require.NoError(t, os.WriteFile(binary, self, 0o755))

	command := exec.CommandContext(t.Context(), binary, "-test.run", "^"+t.Name()+"$")
	command.Dir = public
	command.Env = append(os.Environ(), variable+"="+filepath.Join(public, "config.yaml"))
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}

	output, err := command.CombinedOutput()
	require.NoError(t, err, string(output))
}
