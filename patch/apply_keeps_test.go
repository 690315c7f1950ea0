package patch_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

const ownService = `---
apiVersion: v1alpha1
kind: ExtensionServiceConfig
name: tailscale
configFiles:
    - content: old key
      mountPath: /etc/tailscale/old
    - content: '{"TCP":{}}'
      mountPath: /etc/tailscale/serve.json
environment:
    - TS_AUTHKEY=file:/etc/tailscale/old
    - TS_HOSTNAME=first
    - TS_SERVE_CONFIG=/etc/tailscale/serve.json
    - TS_AUTH_ONCE=false
    - TS_HOSTNAME=own-name
`

// What a config holds already is kept, but for what the patch sets.
func TestApplyKeeps(t *testing.T) {
	t.Parallel()

	manifests := "---\napiVersion: v1alpha1\nkind: KubeInlineManifestConfig\nname: big\nmanifest: |\n" + strings.Repeat("    # "+strings.Repeat("x", 1000)+"\n", 5000)

	for _, tt := range []struct {
		name      string
		contracts []*coreconfig.VersionContract
		change    func(text string) string
		check     func(t *testing.T, before, after string)
	}{
		{
			name: "another service", contracts: bothForms,
			change: func(text string) string {
				return text + "---\napiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: nut-client\nenvironment:\n  - NUT=1   # theirs\n"
			},
			check: func(t *testing.T, _, after string) {
				t.Helper()
				assert.Contains(t, after, "name: nut-client\nenvironment:\n  - NUT=1   # theirs\n")
				assert.Equal(t, 2, strings.Count(after, "kind: ExtensionServiceConfig"))
			},
		},
		{
			name: "the service with variables and files of the user's", contracts: bothForms,
			change: func(text string) string { return text + ownService },
			check: func(t *testing.T, _, after string) {
				t.Helper()

				services := load(t, []byte(after)).ExtensionServiceConfigs()
				require.Len(t, services, 1)
				assert.Equal(t, []string{
					"TS_AUTHKEY=" + exampleKey, "TS_HOSTNAME=own-name", "TS_SERVE_CONFIG=/etc/tailscale/serve.json", "TS_AUTH_ONCE=false",
					"TS_STATE_DIR=/var/lib/tailscale", "TS_ACCEPT_DNS=false", "TS_EXTRA_ARGS=--accept-routes=false",
				}, services[0].Environment())
				require.Len(t, services[0].ConfigFiles(), 1)
				assert.Equal(t, "/etc/tailscale/serve.json", services[0].ConfigFiles()[0].MountPath())
			},
		},
		{
			name: "labels, annotations and taints", contracts: []*coreconfig.VersionContract{coreconfig.TalosVersion1_14},
			change: func(text string) string {
				return strings.Replace(text, "kind: KubeNodeConfig\nnodeIP: {}\n",
					"kind: KubeNodeConfig\n# where the node is\nannotations:\n  rack: r1 # left\nnodeIP: {}\n", 1)
			},
			check: func(t *testing.T, before, after string) {
				t.Helper()

				node, earlier := load(t, []byte(after)).K8sNodeConfig(), load(t, []byte(before)).K8sNodeConfig()
				assert.Equal(t, map[string]string{"rack": "r1"}, node.Annotations())
				assert.Equal(t, earlier.Labels(), node.Labels())
				assert.Equal(t, earlier.Taints(), node.Taints())
				assert.Contains(t, after, "# where the node is\n")
				assert.Contains(t, after, "rack: r1 # left\n")
			},
		},
		{
			name: "other fields of the kubelet", contracts: []*coreconfig.VersionContract{coreconfig.TalosVersion1_13},
			change: func(text string) string {
				return strings.Replace(text, "    kubelet:\n", "    # of the kubelet\n    kubelet:\n        extraArgs:\n            v: \"4\"\n        nodeIP:\n            validSubnets:\n                - 172.16.0.0/12\n", 1)
			},
			check: func(t *testing.T, _, after string) {
				t.Helper()

				provider := load(t, []byte(after))
				assert.Equal(t, []string{"172.16.0.0/12"}, provider.K8sNodeConfig().NodeIP().ValidSubnets())
				assert.Contains(t, after, "# of the kubelet\n")
				assert.Contains(t, after, "v: \"4\"\n")
			},
		},
		{
			name: "directives", contracts: bothForms,
			change: func(text string) string {
				return text + "---\napiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: tailscale\n$patch: delete\n---\nmachine:\n  network:\n    $patch: delete\n"
			},
			check: func(t *testing.T, _, after string) {
				t.Helper()
				assert.Contains(t, after, "name: tailscale\n$patch: delete\n")
				assert.Contains(t, after, "    $patch: delete\n")
			},
		},
		{
			name: "a kind of a later Talos", contracts: bothForms,
			change: func(text string) string {
				return text + "---\napiVersion: v1alpha1\nkind: TeleportConfig\nspeed:   warp # nine\n"
			},
			check: func(t *testing.T, _, after string) {
				t.Helper()
				assert.Contains(t, after, "---\napiVersion: v1alpha1\nkind: TeleportConfig\nspeed:   warp # nine\n")
			},
		},
		{
			name: "Windows line ends and a byte order mark", contracts: bothForms,
			change: func(text string) string { return "\xef\xbb\xbf" + strings.ReplaceAll(text, "\n", "\r\n") },
			check: func(t *testing.T, _, after string) {
				t.Helper()
				assert.True(t, strings.HasPrefix(after, "\xef\xbb\xbf"))
				assert.Equal(t, strings.Count(after, "\n"), strings.Count(after, "\r\n"))
			},
		},
		{
			name: "5 MB of manifests", contracts: []*coreconfig.VersionContract{coreconfig.TalosVersion1_14},
			change: func(text string) string { return text + manifests },
			check: func(t *testing.T, _, after string) {
				t.Helper()
				assert.Contains(t, after, manifests)
			},
		},
		{
			name: "comments around documents, and no line end", contracts: bothForms,
			change: func(text string) string { return "# made by hand\n" + text + "--- # nothing here\n# the end" },
			check: func(t *testing.T, _, after string) {
				t.Helper()
				assert.True(t, strings.HasPrefix(after, "# made by hand\n"))
				assert.Contains(t, after, "--- # nothing here\n# the end\n---\n")
			},
		},
	} {
		for _, contract := range tt.contracts {
			for _, role := range roles {
				t.Run(fmt.Sprintf("%s_%s_%s", tt.name, contract, role), func(t *testing.T) {
					t.Parallel()

					before := tt.change(string(generateText(t, contract, role, encoder.CommentsDisabled)))

					made, err := patch.New(patch.WithBase(parse(t, []byte(before))), patch.WithAuthKey(parseKey(t, exampleKey)))
					require.NoError(t, err)

					once := applied(t, made, []byte(before))

					twice := applied(t, made, once)
					assert.True(t, bytes.Equal(once, twice), "applying again changes nothing")

					tt.check(t, before, string(once))
				})
			}
		}
	}
}

// What talosctl writes has a comment for every field. They are kept, as is every document that the patch does not touch.
func TestApplyKeepsComments(t *testing.T) {
	t.Parallel()

	for _, contract := range contracts {
		base := generateText(t, contract, machine.TypeControlPlane, encoder.CommentsAll)

		made, err := patch.New(patch.WithBase(parse(t, base)), patch.WithAuthKey(parseKey(t, exampleKey)))
		require.NoError(t, err)

		once := applied(t, made, base)

		twice := applied(t, made, once)
		assert.Equal(t, string(once), string(twice))

		comments := func(text []byte) []string {
			var found []string

			for line := range strings.Lines(string(text)) {
				if _, comment, ok := strings.Cut(line, "#"); ok {
					found = append(found, strings.TrimSpace(comment))
				}
			}

			slices.Sort(found)

			return found
		}

		assert.Equal(t, comments(base), comments(once), contract)
	}
}

const config114 = "machine:\n  type: worker\n  token: SECRET\n---\napiVersion: v1alpha1\nkind: KubeNodeConfig\n"

// What was wrong with a config before is none of ours.
func TestApplyKeepsFaults(t *testing.T) {
	t.Parallel()

	made, err := patch.New(patch.WithAuthKey(parseKey(t, exampleKey)))
	require.NoError(t, err)

	for _, config := range []string{config114, strings.Replace(config114, "token: SECRET", "kubelet: {image: 'registry.example.com/kubelet:v1.20.0'}", 1)} {
		_, err = load(t, []byte(config)).ValidateAsClient(metal{})
		require.Error(t, err)

		assert.Contains(t, string(applied(t, made, []byte(config))), "kind: ExtensionServiceConfig")
	}
}
