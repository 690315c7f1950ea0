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

// subnetsConfig returns a machine config with these lists of subnets, on the contract.
func subnetsConfig(t *testing.T, contract *coreconfig.VersionContract, role machine.Type, nodeIP, etcd, more string) *patch.Config {
	t.Helper()

	text := string(generateText(t, contract, role, encoder.CommentsDisabled))

	switch {
	case nodeIP == "":
	case contract == coreconfig.TalosVersion1_14:
		text = strings.Replace(text, "kind: KubeNodeConfig\nnodeIP: {}\n", "kind: KubeNodeConfig\nnodeIP:\n    validSubnets: ["+nodeIP+"] # mine\n", 1)
	default:
		text = strings.Replace(text, "    kubelet:\n", "    kubelet:\n        nodeIP:\n            validSubnets: ["+nodeIP+"] # mine\n", 1)
	}

	if etcd != "" {
		text = strings.Replace(text, "    etcd:\n", "    etcd:\n        advertisedSubnets: ["+etcd+"]\n", 1)
	}

	config, err := patch.ParseConfig([]byte(text + more))
	require.NoError(t, err)

	return config
}

func TestApplyKeepsSubnets(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name                 string
		nodeIP, etcd         string
		options              []patch.Option
		wantNodeIP, wantEtcd string
		notes                []patch.NoteCode
	}{
		{"none there", "", "", nil, "0.0.0.0/0 !100.64.0.0/10", "0.0.0.0/0 !100.64.0.0/10", []patch.NoteCode{patch.NoteEtcdAll}},
		{"those there", `10.20.0.0/24, "!10.20.0.250/32"`, "10.20.0.0/24", nil, "10.20.0.0/24 !10.20.0.250/32", "10.20.0.0/24", nil},
		{"etcd takes those of the node IP", "10.20.0.0/24", "", nil, "10.20.0.0/24", "10.20.0.0/24", nil},
		{"the exclusion is added", `0.0.0.0/0, "!192.168.0.0/16"`, "10.20.0.0/24", nil, "0.0.0.0/0 !192.168.0.0/16 !100.64.0.0/10", "10.20.0.0/24", []patch.NoteCode{patch.NoteKept}},
		{"an exclusion before the positives excludes nothing", `"!100.64.0.0/10", 0.0.0.0/0`, "10.20.0.0/24", nil, "!100.64.0.0/10 0.0.0.0/0 !100.64.0.0/10", "10.20.0.0/24",
			[]patch.NoteCode{patch.NoteKept}},
		{"an excluded address", `0.0.0.0/0, "!10.20.0.250"`, "10.20.0.0/24", nil, "0.0.0.0/0 !10.20.0.250 !100.64.0.0/10", "10.20.0.0/24", []patch.NoteCode{patch.NoteKept}},
		{"an address", "10.20.0.5", "", nil, "10.20.0.5", "10.20.0.5/32", nil},
		{"exclusions alone", `"!10.0.0.0/8"`, "", nil, "!10.0.0.0/8", "", []patch.NoteCode{patch.NoteNodeIP, patch.NoteEtcdOpen}},
		{"subnets of the cluster", "10.96.0.0/16", "", nil, "10.96.0.0/16", "", []patch.NoteCode{patch.NoteNodeIP, patch.NoteEtcdOpen}},
		{"both families", `0.0.0.0/0, ::/0, "!100.64.0.0/10"`, "10.20.0.0/24", nil, "0.0.0.0/0 ::/0 !100.64.0.0/10 !fd7a:115c:a1e0::/48", "10.20.0.0/24", []patch.NoteCode{patch.NoteKept}},
		{"a wish for the tailnet", "100.64.0.0/10", "100.64.0.0/10", nil, "100.64.0.0/10", "100.64.0.0/10", []patch.NoteCode{patch.NoteTailnetSubnet}},
		{"etcd that lets the tailnet in stays", "10.20.0.0/24", "0.0.0.0/0", nil, "10.20.0.0/24", "0.0.0.0/0", []patch.NoteCode{patch.NoteEtcdOpen}},
		{"given ones", "10.20.0.0/24", "10.20.0.0/24", []patch.Option{patch.WithNodeIPSubnets("10.30.0.0/24")}, "10.30.0.0/24", "10.20.0.0/24", nil},
		{"given for etcd", "10.20.0.0/24", "10.20.0.0/24", []patch.Option{patch.WithEtcdSubnets("10.30.0.0/24")}, "10.20.0.0/24", "10.30.0.0/24", nil},
		{"no node IP", "10.20.0.0/24", "10.20.0.0/24", []patch.Option{patch.WithoutNodeIP()}, "10.20.0.0/24", "10.20.0.0/24", []patch.NoteCode{patch.NoteKept}},
		{"unset", "10.20.0.0/24", "10.20.0.0/24", []patch.Option{patch.WithUnset("--node-ip-subnet", "--etcd-subnet")}, "", "", nil},
	} {
		for _, contract := range bothForms {
			t.Run(tt.name+"_"+contract.String(), func(t *testing.T) {
				t.Parallel()

				config := subnetsConfig(t, contract, machine.TypeControlPlane, tt.nodeIP, tt.etcd, "")

				made, err := patch.New(append(tt.options, patch.WithAuthKey(parseKey(t, exampleKey)), patch.WithTarget(config))...)
				require.NoError(t, err)

				after, err := made.Apply(config)
				require.NoError(t, err)

				provider := load(t, after.Bytes())
				assert.Equal(t, tt.wantNodeIP, strings.Join(provider.K8sNodeConfig().NodeIP().ValidSubnets(), " "))
				assert.Equal(t, tt.wantEtcd, strings.Join(provider.RawV1Alpha1().ClusterConfig.EtcdConfig.EtcdAdvertisedSubnets, " "))
				assert.Equal(t, tt.notes, codesOf(after.Notes()), "%v", after.Notes())

				if tt.nodeIP != "" && tt.wantNodeIP != "" {
					assert.Contains(t, string(after.Bytes()), "# mine\n")
				}
			})
		}
	}
}

// What the config says of the cluster is told beside what is given.
func TestApplyKnowsTheCluster(t *testing.T) {
	t.Parallel()

	key := patch.WithAuthKey(parseKey(t, exampleKey))

	for _, contract := range bothForms {
		config := subnetsConfig(t, contract, machine.TypeControlPlane, "", "10.20.0.0/24", "")

		for _, subnet := range []string{"10.100.0.0/24", "10.244.7.0/24"} {
			_, err := patch.New(key, patch.WithTarget(config), patch.WithEtcdSubnets(subnet))

			wrong, ok := errors.AsType[patch.Faults](err)
			require.True(t, ok, subnet)
			assert.Equal(t, "conflict etcd-subnet", string(wrong[0].Code)+" "+wrong[0].Option)

			_, err = patch.New(key, patch.WithTarget(config), patch.WithNodeIPSubnets(subnet))

			faults, ok := errors.AsType[patch.Faults](err)
			require.True(t, ok, subnet)
			assert.Equal(t, "conflict node-ip-subnet", string(faults[0].Code)+" "+faults[0].Option)

			_, err = patch.New(key, patch.WithBase(config), patch.WithNodeIPSubnets(subnet))
			require.Error(t, err, "a base tells the same")

			made, err := patch.New(key, patch.WithTarget(config), patch.WithNodeIPSubnets(subnet, "192.168.1.0/24"))
			require.NoError(t, err)
			assert.Equal(t, []patch.NoteCode{patch.NoteNodeIP}, codesOf(made.Notes()))
		}

		made, err := patch.New(key, patch.WithTarget(config), patch.WithNodeIPSubnets("fd00:1::/64"))
		require.NoError(t, err)
		assert.Equal(t, []patch.NoteCode{patch.NoteNodeIPFamily}, codesOf(made.Notes()))
	}
}
