package containerboot

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The flags are those that the programs list, and each takes a value where theirs does. The end-to-end suite holds the list against
// the real programs.
func TestFlags(t *testing.T) {
	t.Parallel()

	text, err := os.ReadFile("testdata/flags.txt")
	require.NoError(t, err)

	listed := map[string]map[string]bool{Up.program: {"host-routes": false}, Daemon.program: {}} // tailscale up does not list host-routes

	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(strings.Replace(line, "tailscale up", "tailscale_up", 1)); fields[0] != "#" {
			listed[strings.Replace(fields[0], "_", " ", 1)][fields[1]] = fields[2] == "value"
		}
	}

	for _, flags := range []Flags{Up, Daemon} {
		assert.Equal(t, slices.Sorted(maps.Keys(listed[flags.program])), slices.Sorted(maps.Keys(flags.kinds)), flags.program)

		for name, takesValue := range listed[flags.program] {
			assert.Equal(t, takesValue, flags.kinds[name] != boolFlag, "%s --%s", flags.program, name)
		}
	}
}
