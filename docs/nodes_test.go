package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/generate"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
	ran := 0

	for name, text := range documents(t) {
		for _, match := range block.FindAllStringSubmatch(text, -1) {
			if strings.TrimSpace(match[1]) != onNodes {
				continue
			}

			ran++

			t.Run(name, func(t *testing.T) {
				t.Parallel()

				folder := t.TempDir()
				environment := append(startNodes(t), "PATH="+path, "HOME="+folder, "TSBRIDGE_SETTLE=40ms")

				shell := func(commands string) {
					shell := exec.CommandContext(t.Context(), "sh", "-e", "-c", commands)
					shell.Dir, shell.Env = folder, environment

					output, err := shell.CombinedOutput()
					require.NoError(t, err, "%s\n%s", commands, output)
				}

				if !strings.Contains(match[2], "talos-tsbridge init") {
					require.NoError(t, os.CopyFS(folder, os.DirFS("testdata/files")))
					shell("talos-tsbridge up")
				}

				var commands []string

				for line := range strings.Lines(match[2]) {
					if !strings.HasPrefix(line, "export TAILSCALE_OAUTH_CLIENT_ID=...") {
						commands = append(commands, line)
					}
				}

				shell(strings.Join(commands, ""))
			})
		}
	}

	assert.Positive(t, ran)
}

// startNodes starts two nodes and a tailnet that they can join, and returns an environment that leads to both.
func startNodes(t *testing.T) []string {
	t.Helper()

	cluster, err := talostest.Start()
	require.NoError(t, err)
	t.Cleanup(cluster.Close)

	tailnet := tailnettest.NewServer(t)

	input, err := generate.NewInput("lab", "https://192.168.1.10:6443", constants.DefaultKubernetesVersion, generate.WithVersionContract(coreconfig.TalosVersion1_14))
	require.NoError(t, err)

	for _, node := range []struct {
		name, address string
		role          machine.Type
	}{{"lab-cp-1", "192.168.1.10", machine.TypeControlPlane}, {"lab-worker-1", "192.168.1.11", machine.TypeWorker}} {
		config, err := input.Config(node.role)
		require.NoError(t, err)

		text, err := config.EncodeBytes(encoder.WithComments(encoder.CommentsDisabled))
		require.NoError(t, err)

		live := &talostest.Live{
			Name: node.name, Address: node.address, TailnetAddress: strings.Replace(node.address, "192.168.1.", "100.64.0.", 1),
			Join: func(key string) error {
				_, err := tailnet.Register(key, node.name)

				return err
			},
		}

		_, err = cluster.AddLive(live, text, false)
		require.NoError(t, err)
	}

	talosconfig, err := cluster.Talosconfig(talostest.RoleAdmin)
	require.NoError(t, err)

	path := filepath.Join(t.TempDir(), "talosconfig")
	require.NoError(t, os.WriteFile(path, talosconfig, 0o600))

	return append(tailnet.Environ(tailnet.AddAPIToken()), "TALOSCONFIG="+path)
}
