package containerboot_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
)

// The tables in testdata say what the programs do. The end-to-end suite (internal/e2e/tailnet, TestTables) holds the real
// programs of containerboot.Version against the same tables.

// row is a line of a table: a verdict, and the texts that it is about.
type row struct {
	verdict string
	texts   []string
}

func table(t *testing.T, name string) []row {
	t.Helper()

	text, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)

	var rows []row

	for line := range strings.Lines(string(text)) {
		if fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); !strings.HasPrefix(line, "#") {
			rows = append(rows, row{fields[0], fields[1:]})
		}
	}

	require.NotEmpty(t, rows)

	return rows
}

// What stops the service is known, whether containerboot sees it or a later step, and nothing else is refused.
func TestFatal(t *testing.T) {
	t.Parallel()

	for _, row := range table(t, "environments.txt") {
		environment := containerboot.ParseEnvironment(append([]string{"TS_USERSPACE=false"}, row.texts...))
		assert.Equal(t, row.verdict != "taken", len(containerboot.Fatal(environment)) > 0, "%s %q: %v", row.verdict, row.texts, containerboot.Fatal(environment))
	}
}

func TestUpArguments(t *testing.T) {
	t.Parallel()

	for _, row := range table(t, "up.txt") {
		problems := containerboot.Fatal(containerboot.Environment{{Name: containerboot.UpVariable, Value: row.texts[0]}})
		assert.Equal(t, row.verdict != "taken", len(problems) > 0, "%s %q: %v", row.verdict, row.texts, problems)
	}
}

func TestDaemonArguments(t *testing.T) {
	t.Parallel()

	for _, row := range table(t, "tailscaled.txt") {
		err := containerboot.CheckVariable(containerboot.Variable{Name: containerboot.DaemonVariable, Value: row.texts[0]})
		assert.Equal(t, row.verdict != "taken", err != nil, "%s %q: %v", row.verdict, row.texts, err)
	}
}
