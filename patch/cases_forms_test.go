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

// Where the config says what etcd listens on, the default is that: what it advertises besides, nobody reaches.
func TestApplyTakesWhatEtcdListensOn(t *testing.T) {
	t.Parallel()

	for _, contract := range bothForms {
		text := strings.Replace(string(generateText(t, contract, machine.TypeControlPlane, encoder.CommentsDisabled)),
			"    etcd:\n", "    etcd:\n        listenSubnets: [10.20.0.0/24]\n", 1)

		made, err := patch.New(patch.WithAuthKey(parseKey(t, exampleKey)))
		require.NoError(t, err)
		assert.Equal(t, []string{"10.20.0.0/24"}, load(t, applied(t, made, []byte(text))).RawV1Alpha1().ClusterConfig.EtcdConfig.EtcdAdvertisedSubnets)
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

// A list that the config has keeps what it says besides: what a flag asks for is put in.
func TestApplyCompletesLists(t *testing.T) {
	t.Parallel()

	document := func(fields string) string { return "---\napiVersion: v1alpha1\n" + fields }

	for _, tt := range []struct {
		name, more string
		option     patch.Option
		has, not   []string
	}{
		{
			"KubeSpan endpoints", document("kind: KubeSpanConfig\nenabled: true\nfilters:\n  endpoints: [0.0.0.0/0, '!10.0.0.0/8']\n"), patch.WithKubeSpanFilter(true),
			[]string{"endpoints: [0.0.0.0/0, '!10.0.0.0/8', '!100.64.0.0/10']"}, []string{"::/0"},
		},
		{
			"KubeSpan endpoints without the tailnet", document("kind: KubeSpanConfig\nenabled: true\nfilters:\n  endpoints: [10.0.0.0/8]\n"), patch.WithKubeSpanFilter(true),
			[]string{"endpoints: [10.0.0.0/8]\n"}, nil,
		},
		{
			"KubeSpan endpoints in the tailnet alone", document("kind: KubeSpanConfig\nenabled: true\nfilters:\n  endpoints: [100.64.0.0/10]\n"), patch.WithKubeSpanFilter(true),
			[]string{"endpoints: [0.0.0.0/0, \"::/0\", '!100.64.0.0/10', '!fd7a:115c:a1e0::/48']"}, nil,
		},
		{
			"nameservers of the config", document("kind: ResolverConfig\nnameservers:\n  - address: 1.1.1.1\n    protocol: DoT\n    tlsServerName: one.one.one.one\n"),
			patch.WithMagicDNSResolver(),
			[]string{"nameservers:\n  - address: 100.100.100.100\n  - address: 1.1.1.1\n    protocol: DoT\n    tlsServerName: one.one.one.one\n"}, nil,
		},
		{
			"a given nameserver as it is asked", document("kind: ResolverConfig\nnameservers:\n  - address: 1.1.1.1\n    protocol: DoT\n    tlsServerName: one.one.one.one\n  - address: 9.9.9.9\n"),
			patch.WithMagicDNSResolver("1.1.1.1"),
			[]string{"nameservers:\n  - address: 100.100.100.100\n  - address: 1.1.1.1\n    protocol: DoT\n    tlsServerName: one.one.one.one\n"}, []string{"9.9.9.9"},
		},
		{
			"forwarding that is on in the older form", "", patch.WithAdvertiseRoutes("fd00:1::/64"),
			[]string{"        net.ipv6.conf.all.forwarding: \"1\" # mine\n"}, []string{"SysctlConfig"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			text := string(generateText(t, coreconfig.TalosVersion1_13, machine.TypeWorker, encoder.CommentsDisabled)) + tt.more
			if tt.more == "" {
				text = strings.Replace(string(generateText(t, coreconfig.TalosVersion1_14, machine.TypeWorker, encoder.CommentsDisabled)), "machine:\n", "machine:\n    sysctls:\n        net.ipv6.conf.all.forwarding: \"1\" # mine\n", 1)
			}

			config := parse(t, []byte(text))

			made, err := patch.New(patch.WithAuthKey(parseKey(t, exampleKey)), patch.WithTarget(config), tt.option)
			require.NoError(t, err)

			after := string(applied(t, made, []byte(text)))

			for _, part := range tt.has {
				assert.Contains(t, after, part)
			}

			for _, part := range tt.not {
				assert.NotContains(t, after, part)
			}
		})
	}
}

// A default never makes a config wrong that Talos takes: where it says nothing of etcd, etcd gets no subnets.
func TestApplyWithoutEtcd(t *testing.T) {
	t.Parallel()

	text := string(generateText(t, coreconfig.TalosVersion1_13, machine.TypeControlPlane, encoder.CommentsDisabled))
	start := strings.Index(text, "    etcd:\n")
	end := start + strings.Index(text[start:], "---\n")
	text = text[:start] + text[end:]

	_, err := load(t, []byte(text)).ValidateAsClient(metal{})
	require.NoError(t, err)

	config := parse(t, []byte(text))

	made, err := patch.New(patch.WithAuthKey(parseKey(t, exampleKey)), patch.WithTarget(config))
	require.NoError(t, err)
	assert.Equal(t, []patch.NoteCode{patch.NoteEtcdOpen}, codesOf(made.Notes()))

	_, err = load(t, applied(t, made, []byte(text))).ValidateAsClient(metal{})
	require.NoError(t, err)
}
