package examples_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talostest"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

// What examples/bridge says that up prints, it prints: on nodes that act on their configs as Talos does.
func TestBridgeUp(t *testing.T) {
	t.Parallel()

	bin := filepath.Join(t.TempDir(), "talos-tsbridge")
	output, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../cmd/talos-tsbridge").CombinedOutput()
	require.NoError(t, err, string(output))

	cluster, err := talostest.Start()
	require.NoError(t, err)
	t.Cleanup(cluster.Close)

	for address, role := range map[string]machine.Type{
		"192.168.1.10": machine.TypeControlPlane, "192.168.1.11": machine.TypeWorker, "192.168.1.12": machine.TypeWorker,
	} {
		config, err := talostest.Config(role)
		require.NoError(t, err)

		_, err = cluster.AddLive(&talostest.Live{Address: address, TailnetAddress: strings.Replace(address, "192.168.1.", "100.64.0.", 1)}, config, false)
		require.NoError(t, err)
	}

	talosconfig, err := cluster.Talosconfig(talostest.RoleAdmin)
	require.NoError(t, err)

	path := filepath.Join(t.TempDir(), "talosconfig")
	require.NoError(t, os.WriteFile(path, talosconfig, 0o600))

	tailnet := tailnettest.NewServer(t)

	up := func(arguments ...string) string {
		command := exec.CommandContext(t.Context(), bin, append([]string{"up", "--quiet", "--settle", "40ms"}, arguments...)...)
		command.Dir = "bridge"
		command.Env = append(environment(), append(tailnet.Environ(tailnet.AddAPIToken()), "TALOSCONFIG="+path)...)

		var stderr strings.Builder

		command.Stderr = &stderr

		text, err := command.Output()
		require.NoError(t, err, stderr.String())

		return string(text)
	}

	checkFile(t, "bridge/plan.txt", up("--dry-run"))
	assert.Empty(t, tailnet.Keys())
	checkFile(t, "bridge/up.txt", up())
	assert.Contains(t, up(), "3 nodes as wanted, nothing sent, no key minted\n")
	assert.Len(t, tailnet.Keys(), 3)
}
