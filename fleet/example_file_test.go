package fleet

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

const exampleHead = SchemaComment + `
#
# The nodes of a cluster, and what they are to be in the tailnet. "talos-tsbridge up" brings them there and keeps them there.
# No secret belongs into this file.

# What all nodes have in common. Every field of this list can stand at a node, too, and counts there.
advertiseTags: [tag:k8s]
nodeIPSubnets: [192.168.1.0/24] # the LAN that Kubernetes knows the nodes by

# A new key for each node that joins, by the API credentials in the environment; or env, file:PATH, none.
authKey: {source: mint}

nodes:
  lab-cp-1:     {address: 192.168.1.10, role: controlplane}
  lab-worker-1: {address: 192.168.1.11, role: worker, advertiseRoutes: [192.168.1.0/24]}
  # lab-worker-2: {address: 192.168.1.12, role: worker, config: worker.yaml} # installed with it while it is in maintenance mode

# Every field. What is not given keeps its default, or what the machine config of the node says.
#
`

// samples are values for the fields, as the example has them.
var samples = map[string]string{
	"talosVersion": "v1.14", "role": "worker", "authKeyMount": "/etc/tailscale/authkey", "advertiseTags": "[tag:k8s]", "hostname": "lab-worker-1",
	"advertiseRoutes": "[192.168.1.0/24]", "loginServer": "https://headscale.example.com", "tailscaledPort": "41641", "extraArgs": "[--operator=ops]",
	"env": `{TS_DEBUG_MTU: "1350"}`, "nodeIPSubnets": "[192.168.1.0/24]", "etcdSubnets": "[192.168.1.0/24]",
	"staticHosts": "{vault.tail1234.ts.net: [100.82.13.87]}", "magicDNS": "resolver", "nameservers": "[192.168.1.1]", "certSANs": "[lab-cp-1.lan]",
	"magicDNSDomain": "tail1234.ts.net", "installImage": "factory.talos.dev/installer/ID:v1.14.1", "stateDir": "/var/lib/tailscale",
	"configFiles": "{/etc/tailscale/serve.json: serve.json}", "serveConfig": "serve.json", "apiServerSANs": "[lab-cp-1.tail1234.ts.net]",
}

// The example that is committed lists every field with what it is for, and is a file that loads: as it is, and with any of
// its commented fields in force.
func TestExampleFile(t *testing.T) {
	t.Parallel()

	var text strings.Builder

	text.WriteString(exampleHead)

	for _, choice := range patch.Choices() {
		sample := samples[choice.Field]
		if choice.Kind() == patch.KindBool {
			sample = "true"
		}

		require.NotEmpty(t, sample, "%s needs a sample", choice.Field)
		assert.NoError(t, decodes(choice.Field, sample))

		help, _, _ := strings.Cut(choice.Help, "\n")
		help = strings.NewReplacer("; can be repeated", "", "a comma-separated list; ", "", ", a comma-separated list", "").Replace(strings.ReplaceAll(help, "`", ""))
		fmt.Fprintf(&text, "# %s: %s\n#     %s\n", choice.Field, sample, help)
	}

	text.WriteString("# staticHostsFrom: [tag:vault]\n#     " + described["staticHostsFrom"] + "\n")

	text.WriteString("# unset: [--ssh, TS_ROUTES]\n#     " + described["unset"] + "; a field that is left out here leaves what a config has\n")

	if *update {
		require.NoError(t, os.WriteFile("example.yaml", []byte(text.String()), 0o600))
	}

	committed, err := os.ReadFile("example.yaml")
	require.NoError(t, err)
	assert.Equal(t, text.String(), string(committed), "run go generate ./fleet")

	file, err := Parse("bridge.yaml", committed)
	require.NoError(t, err)

	_, err = file.Plan(PlanOptions{NeedsAddress: true})
	require.NoError(t, err)
}

func decodes(field, sample string) error {
	var settings patch.Settings

	return yaml.Unmarshal([]byte(field+": "+sample), &settings)
}

// However many faults a file has, their places are looked up in one tree: reading the text again for each takes minutes.
func TestPlacesOfFaultsAreReadOnce(t *testing.T) {
	t.Parallel()

	file, err := Parse("bridge.yaml", []byte("nodes:\n  a: {role: worker}\n  b: {role: worker}\n"))
	require.NoError(t, err)

	_, err = file.Plan(PlanOptions{NeedsAddress: true})
	require.ErrorContains(t, err, "bridge.yaml:3:3: b: address")
	require.Same(t, file.tree(), file.tree())
}
