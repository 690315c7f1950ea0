package docs_test

import (
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talostest"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

// onNodes marks the blocks that are run on two nodes that act on their configs as Talos does, and are on the tailnet unless the
// block begins by writing bridge.yaml.
const onNodes = "<!-- run on nodes -->"

// A command block about nodes is run as written, but for the credentials that the reader has to put in.
func TestCommandsOnNodes(t *testing.T) {
	t.Parallel()

	path := commandPath(t)

	for name, text := range marked(t, onNodes) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			folder := t.TempDir()
			environment, _ := startNodes(t)
			environment = append(environment, "PATH="+path, "HOME="+folder, "TSBRIDGE_SETTLE=40ms")

			shell := func(commands string) {
				shell := exec.CommandContext(t.Context(), "sh", "-e", "-c", commands)
				shell.Dir, shell.Env = folder, environment

				output, err := shell.CombinedOutput()
				require.NoError(t, err, "%s\n%s", commands, output)
			}

			if !strings.Contains(text, "talos-tsbridge init") {
				require.NoError(t, os.CopyFS(folder, os.DirFS("testdata/files")))
				shell("talos-tsbridge up")
			}

			var commands []string

			for line := range strings.Lines(text) {
				if !strings.HasPrefix(line, "export TAILSCALE_OAUTH_CLIENT_ID=...") {
					commands = append(commands, line)
				}
			}

			shell(strings.Join(commands, ""))
		})
	}
}

// marked returns the blocks of commands that have a mark, with the names of their documents. There is one at least.
func marked(t *testing.T, mark string) iter.Seq2[string, string] {
	t.Helper()

	return func(yield func(name, text string) bool) {
		ran := 0

		for name, text := range documents(t) {
			for _, match := range block.FindAllStringSubmatch(text, -1) {
				if strings.TrimSpace(match[1]) != mark {
					continue
				}

				ran++

				if !yield(name, match[2]) {
					return
				}
			}
		}

		assert.Positive(t, ran)
	}
}

// whereRebuilt marks the blocks of which each line is run by itself, where the device of lab-worker-1 is left over of a node that
// is to join anew, and a key of nobody.
const whereRebuilt = "<!-- run where a node was rebuilt -->"

// A command about what is left over does it, or shows it and asks for --yes, as its comment says.
func TestCommandsOnWhatIsLeftOver(t *testing.T) {
	t.Parallel()

	path := commandPath(t)

	for name, text := range marked(t, whereRebuilt) {
		for line := range strings.Lines(text) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()

				folder := t.TempDir()
				require.NoError(t, os.CopyFS(folder, os.DirFS("testdata/files")))

				environment, tailnet := startNodes(t)
				leaveOver(t, tailnet)

				shell := exec.CommandContext(t.Context(), "sh", "-e", "-c", line)
				shell.Dir = folder
				shell.Env = append([]string{"PATH=" + path, "HOME=" + folder, "TSBRIDGE_SETTLE=40ms"}, environment...)
				output, _ := shell.CombinedOutput()

				const usage = 2

				if strings.Contains(line, "--yes removes it") || strings.Contains(line, "--yes revokes them") {
					assert.Equal(t, usage, shell.ProcessState.ExitCode(), "%s\n%s", line, output)
					assert.Contains(t, string(output), ": --yes re", line)
				} else {
					assert.Zero(t, shell.ProcessState.ExitCode(), "%s\n%s", line, output)
				}
			})
		}
	}
}

// leaveOver leaves the device of a node over that has been off for hours, and a key that was made two hours ago.
func leaveOver(t *testing.T, server *tailnettest.Server) {
	t.Helper()

	minter, err := mint.FromEnv(server.LookupEnv(server.AddAPIToken()))
	require.NoError(t, err)

	const long, ago = 24 * time.Hour, 2 * time.Hour

	lease, err := minter.Lease(t.Context(), mint.Options{Tags: []string{"tag:k8s"}, Expiry: long})
	require.NoError(t, err)

	device, err := server.Register(lease.Key().Reveal(), "lab-worker-1")
	require.NoError(t, err)

	server.SetDevice(device.ID, func(device *tailnettest.Device) { device.LastSeen = time.Now().Add(-ago) })

	_, err = minter.Lease(t.Context(), mint.Options{Tags: []string{"tag:k8s"}, Expiry: long})
	require.NoError(t, err)

	server.SetClockSkew(ago)
}

// startNodes starts two nodes and a tailnet that they can join, and returns an environment that leads to both.
func startNodes(t *testing.T) ([]string, *tailnettest.Server) {
	t.Helper()

	cluster, err := talostest.Start()
	require.NoError(t, err)
	t.Cleanup(cluster.Close)

	tailnet := tailnettest.NewServer(t)

	for _, node := range []struct {
		name, address string
		role          machine.Type
	}{{"lab-cp-1", "192.168.1.10", machine.TypeControlPlane}, {"lab-worker-1", "192.168.1.11", machine.TypeWorker}} {
		config, err := talostest.Config(node.role)
		require.NoError(t, err)

		live := &talostest.Live{
			Name: node.name, Address: node.address, TailnetAddress: strings.Replace(node.address, "192.168.1.", "100.64.0.", 1),
			Join: func(key string) error {
				_, err := tailnet.Register(key, node.name)

				return err
			},
		}

		_, err = cluster.AddLive(live, config, false)
		require.NoError(t, err)
	}

	talosconfig, err := cluster.Talosconfig(talostest.RoleAdmin)
	require.NoError(t, err)

	path := filepath.Join(t.TempDir(), "talosconfig")
	require.NoError(t, os.WriteFile(path, talosconfig, 0o600))

	return append(tailnet.Environ(tailnet.AddAPIToken()), "TALOSCONFIG="+path), tailnet
}
