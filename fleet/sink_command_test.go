package fleet_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
)

// The command is run once a node, with the node's facts in its arguments and the patch behind @-.
func TestCommand(t *testing.T) {
	t.Parallel()

	command, err := fleet.NewCommand("sh", "-c", `echo "$1 $2 $3"; grep TS_ "${4#@}"`, "sh", "{{.Name}}", "{{.Address}}", "{{.Role}}", "@-")
	require.NoError(t, err)

	var output bytes.Buffer

	command.Stdout, command.Prefixed, command.Env = &output, true, os.Environ()
	plan, keys := planOf(t, 5), &leases{}

	require.NoError(t, command.Check(plan))

	_, err = fleet.Run(t.Context(), plan, command, fleet.RunOptions{Keys: keys, Parallel: 3})
	require.NoError(t, err)
	assert.Contains(t, output.String(), "node-2: node-2 10.0.0.2 worker\n")
	assert.Contains(t, output.String(), "node-2:     - TS_AUTHKEY=key-of-2\n")
	assert.Len(t, keys.kept, 5)

	for line := range strings.Lines(output.String()) {
		assert.Regexp(t, `^node-\d: `, line, "lines of commands at the same time stay whole")
	}
}

// A command that fails, or does not read the patch, has no use for the key.
func TestCommandWithoutUse(t *testing.T) {
	t.Parallel()

	for script, fails := range map[string]bool{"exit 3": true, "exit 0": false} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()

			command, err := fleet.NewCommand("sh", "-c", script, "sh", "--config-patch=@-")
			require.NoError(t, err)

			keys := &leases{}

			_, err = fleet.Run(t.Context(), planOf(t, 1), command, fleet.RunOptions{Keys: keys})
			assert.Equal(t, fails, err != nil, "%v", err)
			assert.Empty(t, keys.kept)
			assert.Equal(t, []int{0}, keys.released)
		})
	}
}

func TestCommandRefuses(t *testing.T) {
	t.Parallel()

	for name, args := range map[string][]string{
		"no place for the patch": {"talosctl", "apply-config"},
		"no template":            {"talosctl", "{{.Address", "@-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := fleet.NewCommand(args...)
			require.Error(t, err)
		})
	}

	command, err := fleet.NewCommand("talosctl", "-n", "{{.Address}}", "@-")
	require.NoError(t, err)

	file, err := fleet.Parse("bridge.yaml", []byte("nodes:\n  a: {}\n"))
	require.NoError(t, err)

	plan, err := file.Plan(fleet.PlanOptions{})
	require.NoError(t, err)

	var faults fleet.Faults
	require.ErrorAs(t, command.Check(plan), &faults)
	assert.Equal(t, "address", faults[0].Field)

	command, err = fleet.NewCommand("talosctl", "{{.Adress}}", "@-")
	require.NoError(t, err)
	require.Error(t, command.Check(plan))
}
