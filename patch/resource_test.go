package patch_test

import (
	"strings"
	"testing"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// resource is what talosctl get machineconfig -o yaml prints of a config.
func resource(node, id, config string) string {
	return "node: " + node + "\nmetadata:\n    namespace: config\n    type: MachineConfigs.config.talos.dev\n    id: " + id + "\n    version: 2\nspec: |\n    " +
		strings.ReplaceAll(strings.TrimSuffix(config, "\n"), "\n", "\n    ") + "\n"
}

// What talosctl get machineconfig prints is taken: of several resources the persistent one, and the config in it is the result.
func TestParseConfigOfResource(t *testing.T) {
	t.Parallel()

	text := string(generateText(t, coreconfig.TalosVersion1_13, machine.TypeWorker, encoder.CommentsDisabled))
	active := strings.Replace(text, "type: worker", "type: controlplane", 1)

	for _, printed := range []string{
		resource("192.0.2.10", "v1alpha1", text),
		resource("192.0.2.10", "v1alpha1", active) + "---\n" + resource("192.0.2.10", "persistent", text),
		resource("192.0.2.10", "persistent", text) + "---\n" + resource("192.0.2.10", "v1alpha1", active),
	} {
		config := parse(t, []byte(printed))
		assert.True(t, config.IsResource())
		assert.Equal(t, text, string(config.Bytes()))
		assert.Equal(t, machine.TypeWorker, config.Role())

		made, err := patch.New(patch.WithBase(config), patch.WithAuthKey(parseKey(t, exampleKey)))
		require.NoError(t, err)

		result, err := made.Apply(config)
		require.NoError(t, err)
		assert.Equal(t, string(applied(t, made, []byte(text))), string(result.Bytes()))
	}

	_, err := patch.ParseConfig([]byte(resource("192.0.2.10", "v1alpha1", text) + "---\n" + resource("192.0.2.11", "v1alpha1", text)))
	requireCode(t, patch.ConfigForeign, err)

	// lines count from the top of what was given
	_, err = patch.ParseConfig([]byte(resource("192.0.2.10", "v1alpha1", "machine:\n  type: worker\n  tokn: a\n")))
	require.ErrorContains(t, err, "machine.tokn (line 10)")
}

// What is of a newer Talos is taken as the newest known, and said.
func TestNewerTalos(t *testing.T) {
	t.Parallel()

	text := generateText(t, coreconfig.TalosVersion1_14, machine.TypeWorker, encoder.CommentsDisabled)
	text = append(text, "---\napiVersion: v1beta2\nkind: TeleportConfig\nspeed:   warp # nine\n"...)
	config := parse(t, text)
	assert.Equal(t, []string{"TeleportConfig"}, config.UnknownKinds())

	for _, option := range []patch.Option{patch.WithTalosVersion("v1.15.2"), patch.WithTalosVersion("v2.0"), patch.WithBase(config)} {
		made, err := patch.New(option, patch.WithAuthKey(parseKey(t, exampleKey)))
		require.NoError(t, err)
		assert.Equal(t, "v1.14", made.Contract().String())
		assert.Contains(t, codesOf(made.Notes()), patch.NoteNewerTalos)
		assert.Contains(t, string(applied(t, made, text)), "---\napiVersion: v1beta2\nkind: TeleportConfig\nspeed:   warp # nine\n")
	}
}
