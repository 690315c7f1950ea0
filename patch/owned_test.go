package patch

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
)

// Users decide by the table of docs/patch.md whether to let apply at their configs: it names what the features own, and nothing
// else.
func TestOwnedIsDocumented(t *testing.T) {
	t.Parallel()

	p, err := New(
		WithTalosVersion("v1.13"), WithRole(machine.TypeControlPlane.String()), WithHostname("lab-1"), WithMagicDNSDomain("tail1234.ts.net"),
		WithAdvertiseRoutes("2001:db8::/64"), WithStaticHost("db.example.com", "100.101.102.103"), WithMagicDNSResolver("192.168.1.1"), WithFirewall(true),
		WithKubeSpanFilter(true), WithInstallImage("factory.talos.dev/installer/4a0d65c669d46663f377e7161e50cfd570c401f26fd9e7bda34a0216b6f1922b:v1.13.5"),
	)
	require.NoError(t, err)
	require.Len(t, p.features, len(features), "a feature is missing in these options")

	text, err := os.ReadFile("../docs/patch.md")
	require.NoError(t, err)

	_, section, _ := strings.Cut(string(text), "## What apply changes")
	section, _, _ = strings.Cut(section, "\n## ")

	var rows []string

	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| `") {
			rows = append(rows, line)
		}
	}

	used := map[string]bool{}

	for _, field := range p.owned() {
		i := slices.IndexFunc(rows, func(row string) bool { return names(row, field) })
		if assert.GreaterOrEqual(t, i, 0, "no row of docs/patch.md names %+v", field) {
			used[rows[i]] = true
		}
	}

	for _, row := range rows {
		assert.True(t, used[row], "no feature owns what docs/patch.md names: %s", row)
	}
}

// names reports whether a row of the table names a field: its document, or the key above it, and the field itself.
func names(row string, field machineconfig.Field) bool {
	document, what := "`"+field.Kind+"`", field.Name

	if field.Kind == machineconfig.Legacy {
		document = "`" + strings.Join(field.Path[:2], ".")
	}

	if len(field.Path) > 0 {
		what = field.Path[len(field.Path)-1]
	}

	return strings.Contains(row, document) && strings.Contains(row, strings.TrimSuffix(what, "*"))
}
