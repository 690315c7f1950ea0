package patch_test

import (
	"errors"
	"strings"
	"testing"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

func TestConfigContract(t *testing.T) {
	t.Parallel()

	for _, contract := range contracts {
		for _, role := range roles {
			config := parse(t, generateText(t, contract, role, encoder.CommentsDisabled))
			assert.Equal(t, role, config.Role())

			// the oldest contract of the same form
			want := map[*coreconfig.VersionContract]*coreconfig.VersionContract{
				coreconfig.TalosVersion1_12: coreconfig.TalosVersion1_12,
				coreconfig.TalosVersion1_13: coreconfig.TalosVersion1_12,
				coreconfig.TalosVersion1_14: coreconfig.TalosVersion1_14,
			}[contract]
			if want == nil {
				want = coreconfig.TalosVersion1_7
			}

			assert.Equal(t, want.String(), config.Contract().String(), contract.String())
		}
	}
}

// What is no machine config is refused in one line that says what it is and repeats nothing of it.
func TestParseConfigRefuses(t *testing.T) {
	t.Parallel()

	worker := generateText(t, coreconfig.TalosVersion1_14, machine.TypeWorker, encoder.CommentsDisabled)

	for _, tt := range []struct {
		name, config string
		code         patch.ConfigCode
		line         int
		path         string
	}{
		{"nothing", "", patch.ConfigForeign, 0, ""},
		{"comments", "# SECRET\n---\n# SECRET\n", patch.ConfigForeign, 0, ""},
		{"no YAML", "machine: [SECRET\n", patch.ConfigSyntax, 2, ""},
		{"no YAML further down", "machine: {}\n---\na: b: SECRET\n", patch.ConfigSyntax, 3, ""},
		{"not in UTF-8", "machine:\n  token: \xff\xfe\n", patch.ConfigSyntax, 2, ""},
		{"UTF-16", "\xff\xfem\x00", patch.ConfigSyntax, 0, ""},
		{"a list", "- SECRET\n", patch.ConfigForeign, 1, ""},
		{"encrypted", "machine:\n  type: worker\n  token: ENC[SECRET]\nsops:\n  mac: ENC[SECRET]\n", patch.ConfigEncrypted, 0, ""},
		{"kubeconfig", "apiVersion: v1\nkind: Config\nclusters: []\nusers: [{user: {token: SECRET}}]\n", patch.ConfigForeign, 1, ""},
		{"the secrets of a cluster", "cluster: {id: SECRET, secret: SECRET}\nsecrets: {bootstraptoken: SECRET}\n", patch.ConfigForeign, 1, ""},
		{"a bridge file", "talosVersion: v1.14\nnodes: {a: {address: 192.0.2.1}}\n", patch.ConfigForeign, 1, ""},
		{"a JSON patch", "[{op: add, path: /machine/token, value: SECRET}]\n", patch.ConfigForeign, 1, ""},
		{"base64", strings.Repeat("U0VDUkVU", 20), patch.ConfigForeign, 1, ""},
		{"several resources in JSON", "{\"metadata\": {\"type\": \"MachineConfigs.config.talos.dev\"},\n\"spec\": \"SECRET\"}\n{\"spec\": \"SECRET\"}\n", patch.ConfigForeign, 3, ""},
		{"compressed", "\x1f\x8b\x08SECRET", patch.ConfigForeign, 0, ""},
		{"age", "age-encryption.org/v1\n-> X25519 SECRET\n", patch.ConfigEncrypted, 0, ""},
		{"Ansible Vault", "$ANSIBLE_VAULT;1.1;AES256\nSECRET\n", patch.ConfigEncrypted, 0, ""},
		{"a template", "machine:\n  type: worker\n  token: {{ .SECRET }}\n", patch.ConfigUnreadable, 3, "machine.token"},
		{"a template between lines", "machine:\n  {{- if .SECRET }}\n  type: worker\n", patch.ConfigSyntax, 2, ""},
		{"talosconfig", "context: a\ncontexts:\n  a:\n    key: SECRET\n", patch.ConfigForeign, 1, ""},
		{"talconfig.yaml", "clusterName: SECRET\nnodes: [{hostname: SECRET}]\n", patch.ConfigForeign, 1, ""},
		{"Omni", "metadata:\n  type: ConfigPatches.omni.sidero.dev\nspec: {data: SECRET}\n", patch.ConfigForeign, 1, ""},
		{"another resource", "node: a\nmetadata:\n  type: KubeletSpecs.kubernetes.talos.dev\nspec: {image: SECRET}\n", patch.ConfigForeign, 1, ""},
		{"a manifest", "apiVersion: apps/v1\nkind: Deployment\nspec: SECRET\n", patch.ConfigForeign, 1, ""},
		{"a patch", "cluster:\n  network:\n    cni: {name: SECRET}\n", patch.ConfigRole, 0, ""},
		{"a patch of machine", "machine:\n  network: {hostname: SECRET}\n", patch.ConfigRole, 1, "machine.type"},
		{"two configs", "machine:\n  type: worker\n---\nmachine:\n  type: controlplane\n", patch.ConfigForeign, 3, ""},
		{"document of ours alone", "apiVersion: v1alpha1\nkind: KubeNodeConfig\n", patch.ConfigForeign, 0, ""},
		{"no kind", "machine:\n  type: worker\n---\nSECRET: SECRET\n", patch.ConfigUnreadable, 4, ""},
		{"a patch that failed", "talos-tsbridge-failed: SECRET\n", patch.ConfigForeign, 1, ""},
		{"unknown field", "machine:\n  type: worker\n  tokn: SECRET\n", patch.ConfigUnreadable, 3, "machine.tokn"},
		{"unknown field of an item", "machine:\n  type: worker\n  files:\n  - path: a\n  - pth: SECRET\n", patch.ConfigUnreadable, 5, "machine.files[1].pth"},
		{"a secret in the place of a key", "machine:\n  type: worker\n  SECRET-SECRET-SECRET-SECRET-SECRET-SECRET:\n", patch.ConfigUnreadable, 3, "machine...."},
		{"wrong type", "machine:\n  type: worker\n  features: [SECRET]\n", patch.ConfigUnreadable, 3, "machine.features"},
		{
			"wrong type further down", string(worker) + "---\napiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: tailscale\nenvironment:\n  TS_AUTHKEY: SECRET\n",
			patch.ConfigUnreadable, strings.Count(string(worker), "\n") + 6, "environment.TS_AUTHKEY",
		},
		{"a merge key", "machine:\n  type: worker\n  sysfs: &l {a: SECRET}\n  nodeAnnotations:\n    <<: *l\n    c: d\n", patch.ConfigUnreadable, 5, ""},
		{"doubled key", "machine:\n  type: worker\n  type: SECRET\n", patch.ConfigUnreadable, 3, "machine.type"},
		{"doubled document", string(worker) + "---\napiVersion: v1alpha1\nkind: KubeNodeConfig\n", patch.ConfigUnreadable, 0, ""},
		{"billion laughs", laughs, patch.ConfigTooLarge, 8, ""},
		{"an alias of itself", "machine: &a\n  type: worker\n  kubelet: *a\n", patch.ConfigTooLarge, 3, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			_, err := patch.ParseConfig([]byte(tt.config))
			require.Error(t, err)

			fault, ok := errors.AsType[*patch.ConfigError](err)
			require.True(t, ok)
			assert.Equal(t, tt.code, fault.Code)
			assert.Equal(t, tt.line, fault.Line)
			assert.Equal(t, tt.path, fault.Path)

			assert.NotContains(t, err.Error(), "SECRET")
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

// laughs is an alias bomb in a field that takes anything.
var laughs = "cluster:\n  apiServer:\n    auditPolicy:\n      a: &a [x, x, x, x, x, x, x, x, x, x]\n      b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n" +
	"      c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n      d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n" +
	"      e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n      f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]\nmachine:\n  type: worker\n"

// A config from before v1.7 needs a version, and variables that stop the service are named.
func TestNewRefusesConfigs(t *testing.T) {
	t.Parallel()

	old := generateText(t, coreconfig.TalosVersion1_3, machine.TypeWorker, encoder.CommentsDisabled)
	_, err := patch.New(patch.WithBase(parse(t, old)), patch.WithAuthKey(parseKey(t, exampleKey)))
	require.ErrorContains(t, err, "is of a contract before v1.7")
}
