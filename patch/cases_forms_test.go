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

// The subnet of etcd in its oldest form is the list of etcd: it stays, and a given list takes its place, because Talos refuses both.
func TestApplyTakesTheSubnetOfEtcd(t *testing.T) {
	t.Parallel()

	text := strings.Replace(string(generateText(t, coreconfig.TalosVersion1_10, machine.TypeControlPlane, encoder.CommentsDisabled)),
		"    etcd:\n", "    etcd:\n        subnet: 10.20.0.0/24 # the LAN\n", 1)

	for _, tt := range []struct {
		name    string
		options []patch.Option
		want    []string
		stays   bool
	}{
		{"it stays", nil, []string{"10.20.0.0/24"}, true},
		{"a given one", []patch.Option{patch.WithEtcdSubnets("10.30.0.0/24")}, []string{"10.30.0.0/24"}, false},
		{"taken back", []patch.Option{patch.WithUnset("--etcd-subnet")}, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			made, err := patch.New(append(tt.options, patch.WithAuthKey(parseKey(t, exampleKey)), patch.WithTarget(parse(t, []byte(text))))...)
			require.NoError(t, err)

			after := applied(t, made, []byte(text))
			assert.Equal(t, tt.want, load(t, after).Cluster().Etcd().AdvertisedSubnets())
			assert.Equal(t, tt.stays, strings.Contains(string(after), "subnet: 10.20.0.0/24 # the LAN\n"))
			assert.Equal(t, string(after), string(applied(t, made, after)), "applying again changes nothing")
		})
	}
}

// On its way to v1.14 a config has some documents of the new form, and the kubelet in its old place: there the node IP goes.
func TestApplyToAConfigBetweenForms(t *testing.T) {
	t.Parallel()

	for _, role := range roles {
		text := string(generateText(t, coreconfig.TalosVersion1_13, role, encoder.CommentsDisabled))

		start := strings.Index(text, "    network:\n        dnsDomain")
		end := start + strings.Index(text[start:], "    token:")
		text = text[:start] + text[end:] + "---\napiVersion: v1alpha1\nkind: KubeNetworkConfig\ndnsDomain: cluster.local\n" +
			"podSubnets: [10.244.0.0/16]\nserviceSubnets: [10.96.0.0/12]\n"

		made, err := patch.New(patch.WithAuthKey(parseKey(t, exampleKey)))
		require.NoError(t, err)

		after := applied(t, made, []byte(text))
		provider := load(t, after)

		_, err = provider.ValidateAsClient(metal{})
		require.NoError(t, err)
		assert.Equal(t, []string{"0.0.0.0/0", "!100.64.0.0/10"}, provider.RawV1Alpha1().MachineConfig.MachineKubelet.KubeletNodeIP.KubeletNodeIPValidSubnets)
		assert.Equal(t, string(after), string(applied(t, made, after)), "applying again changes nothing")
	}
}
