package fleet_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// The patch of a node is the one of its settings, whatever it has in common with others.
func TestPatchOfNode(t *testing.T) {
	t.Parallel()

	const nodes = `
nodes:
  worker-1: {role: worker, address: 192.168.1.11}
  worker-2: {role: worker}
  cp-1: {role: controlplane}
  cp-2: {role: controlplane}
  any-1: {}
  any-2: {address: 192.168.1.10}
  other: {role: worker, hostname: called-otherwise}
  routes: {role: worker, advertiseRoutes: [10.0.0.0/8]}
  keyless: {role: worker, authKey: {source: none}}
`

	for name, top := range map[string]string{
		"defaults": "advertiseTags: [tag:k8s]",
		"domain":   "magicDNSDomain: tail1234.ts.net",
		"keyless":  "authKey: {source: none}",
		"mount":    "authKeyMount: /etc/tailscale/authkey\nauthKey: {source: env}",
		"old":      "talosVersion: v1.7",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			text := top + nodes
			if name == "mount" { // there is nothing to mount for the last one
				text, _, _ = strings.Cut(text, "  keyless")
			}

			file, err := fleet.Parse("bridge.yaml", []byte(text))
			require.NoError(t, err)

			plan, err := file.Plan(fleet.PlanOptions{})
			require.NoError(t, err)

			for i := range plan.Len() {
				settings := plan.Settings(i)
				settings.AuthKey = placeholder(t)

				want, err := patch.New(patch.WithSettings(settings))
				require.NoError(t, err)

				wantText, err := want.Bytes()
				require.NoError(t, err)

				made, err := plan.Patch(i, settings.AuthKey)
				require.NoError(t, err)

				text, err := made.Bytes()
				require.NoError(t, err)
				assert.Equal(t, string(wantText), string(text), plan.Node(i).Name)
				assert.Equal(t, want.Notes(), made.Notes(), plan.Node(i).Name)
			}
		})
	}
}
