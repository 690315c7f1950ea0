package nodes_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talostest"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

func TestConnect(t *testing.T) {
	t.Parallel()

	cluster := start(t)
	text, err := cluster.Talosconfig(talostest.RoleAdmin)
	require.NoError(t, err)

	dir := t.TempDir()
	file := filepath.Join(dir, "talosconfig")
	require.NoError(t, os.WriteFile(file, text, 0o600))

	talos, err := nodes.Connect(t.Context(), nodes.Connection{Talosconfig: file})
	require.NoError(t, err)
	assert.Equal(t, []string{cluster.Endpoint}, talos.Nodes, "without nodes, the endpoints")
	require.NoError(t, talos.Close())

	talos, err = nodes.Connect(t.Context(), nodes.Connection{Talosconfig: file, Nodes: []string{"a"}, Endpoints: []string{"b"}})
	require.NoError(t, err)
	assert.Equal(t, []string{"a"}, talos.Nodes)
	assert.Equal(t, []string{"b"}, talos.Client.GetEndpoints())
	require.NoError(t, talos.Close())

	_, err = nodes.Connect(t.Context(), nodes.Connection{Talosconfig: file, Context: "other"})
	require.EqualError(t, err, `the talosconfig has no context "other": write one that talosctl config contexts lists`)

	for text, want := range map[string]string{
		"context: \"\"\ncontexts: {}\n":                   "the talosconfig has no contexts: name another",
		"contexts:\n  lab: {endpoints: [192.168.1.10]}\n": "the talosconfig chooses no context: name one with --context",
	} {
		other := filepath.Join(dir, "other")
		require.NoError(t, os.WriteFile(other, []byte(text), 0o600))

		_, err = nodes.Connect(t.Context(), nodes.Connection{Talosconfig: other})
		require.ErrorContains(t, err, want)
	}

	missing := filepath.Join(dir, "missing", "talosconfig")
	_, err = nodes.Connect(t.Context(), nodes.Connection{Talosconfig: missing})
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.NoDirExists(t, filepath.Dir(missing), "nothing is created")

	require.NoError(t, os.WriteFile(file, []byte("contexts: CANARY"), 0o600))
	_, err = nodes.Connect(t.Context(), nodes.Connection{Talosconfig: file})
	require.ErrorContains(t, err, "cannot be read")
	assert.NotContains(t, err.Error(), "CANARY")
}

// The certificate of another cluster is not accepted.
func TestOtherCluster(t *testing.T) {
	t.Parallel()

	cluster, other := start(t), start(t)
	_, err := cluster.AddHealthy("172.16.0.10")
	require.NoError(t, err)

	text, err := other.Talosconfig(talostest.RoleAdmin)
	require.NoError(t, err)

	file := filepath.Join(t.TempDir(), "talosconfig")
	require.NoError(t, os.WriteFile(file, text, 0o600))

	talos, err := nodes.Connect(t.Context(), nodes.Connection{Talosconfig: file, Endpoints: []string{cluster.Endpoint}, Nodes: []string{"172.16.0.10"}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = talos.Close() })

	inspector := &nodes.Inspector{Client: talos.Client, Timeout: patient}
	findings := nodes.Diagnose(inspector.Inspect(t.Context(), talos.Nodes), nil)
	assert.Equal(t, []verify.Code{nodes.CodeUnreachable}, codesOf(findings))
	assert.Contains(t, findings[0].Cause, "certificate")
}
