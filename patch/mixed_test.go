package patch_test

import (
	"strings"
	"testing"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// A config may have some of the documents of v1.14 beside fields of its v1alpha1 config that others of them replace: tools that are built on a
// preview of a release write such ones, and so does who changes a config document by document. Talos takes them, and what becomes of
// them, with whatever is set.
func TestMixedForms(t *testing.T) {
	t.Parallel()

	const network = `---
apiVersion: v1alpha1
kind: KubeNetworkConfig
dnsDomain: cluster.local
podSubnets: [10.244.0.0/16]
serviceSubnets: [10.96.0.0/12]
`

	for name, c := range map[string]struct {
		contract *coreconfig.VersionContract
		role     machine.Type
		patch    string
	}{
		"kubelet":       {coreconfig.TalosVersion1_13, machine.TypeWorker, "cluster: {network: {$patch: delete}}\n" + network},
		"labels":        {coreconfig.TalosVersion1_13, machine.TypeWorker, "machine: {nodeLabels: {rack: '1'}}\ncluster: {network: {$patch: delete}}\n" + network},
		"control plane": {coreconfig.TalosVersion1_13, machine.TypeControlPlane, "cluster: {allowSchedulingOnControlPlanes: true, network: {$patch: delete}}\n" + network},
		"nameservers":   {coreconfig.TalosVersion1_13, machine.TypeWorker, "machine: {network: {nameservers: [192.168.1.1], extraHostEntries: [{ip: 192.168.1.5, aliases: [nas]}]}}\n"},
		"api server": {
			coreconfig.TalosVersion1_14, machine.TypeControlPlane,
			"apiVersion: v1alpha1\nkind: KubeAPIServerConfig\n$patch: delete\n---\ncluster: {apiServer: {image: registry.k8s.io/kube-apiserver:v1.37.0}}\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			whole := applyPatch(t, generateConfig(t, c.contract, c.role), []byte(c.patch))
			_, err := whole.ValidateAsClient(metal{})
			require.NoError(t, err)

			config, err := patch.ParseConfig([]byte(encodeConfig(t, whole)))
			require.NoError(t, err)

			options := []patch.Option{
				patch.WithAuthKey(parseKey(t, exampleKey)), patch.WithNodeIPSubnets("192.168.1.0/24"), patch.WithStaticHost("nas.tail1234.ts.net", "100.82.13.87"),
				patch.WithMagicDNSResolver("192.168.1.2"), patch.WithCertSANs("lab-1.tail1234.ts.net"), patch.WithKubeSpanFilter(true), patch.WithAdvertiseRoutes("2001:db8::/32"),
			}
			if c.role == machine.TypeControlPlane {
				options = append(options, patch.WithAPIServerSANs("lab-1.tail1234.ts.net"))
			}

			made, err := patch.New(append(options, patch.WithBase(config))...)
			require.NoError(t, err)

			patched := applyPatch(t, whole, textOf(t, made))
			_, err = patched.ValidateAsClient(metal{})
			require.NoError(t, err)
			assert.Equal(t, []string{"192.168.1.0/24"}, patched.K8sNodeConfig().NodeIP().ValidSubnets())
			assert.Equal(t, whole.K8sNodeConfig().Taints(), patched.K8sNodeConfig().Taints())

			target, err := patch.New(append(options, patch.WithTarget(config))...)
			require.NoError(t, err)

			applied, err := target.Apply(config)
			require.NoError(t, err)

			text := string(applied.Bytes())
			assert.Equal(t, strings.Count(encodeConfig(t, patched), "validSubnets:"), strings.Count(text, "validSubnets:"))

			again, err := patch.ParseConfig([]byte(text))
			require.NoError(t, err)

			twice, err := target.Apply(again)
			require.NoError(t, err)
			assert.False(t, twice.Changed())
		})
	}

}
