package patch_test

import (
	"slices"
	"strings"
	"testing"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// A stream that replaces can be applied any number of times, also to a config that holds nothing of it yet.
func TestReplace(t *testing.T) {
	t.Parallel()

	for _, role := range roles {
		base := generateConfig(t, coreconfig.TalosVersion1_14, role)
		options := []patch.Option{patch.WithRole(role.String()), patch.WithAuthKey(parseKey(t, exampleKey))}

		first, err := patch.New(append(options, patch.WithReplace(), patch.WithHostname("first"), patch.WithMagicDNSResolver("9.9.9.9"), patch.WithKubeSpanFilter(true), patch.WithAuthKeyMount("/etc/tailscale/authkey"),
			patch.WithNodeIPSubnets("10.0.0.0/8"))...)
		require.NoError(t, err)

		options = append(options, patch.WithStaticHost("vault", "100.82.13.87", "fd7a:115c:a1e0::d"), patch.WithMagicDNSResolver("192.168.1.1"),
			patch.WithKubeSpanFilter(true), patch.WithAdvertiseRoutes("2001:db8::/32"))

		second, err := patch.New(append(options, patch.WithReplace())...)
		require.NoError(t, err)

		plain, err := patch.New(options...)
		require.NoError(t, err)

		firstText, err := first.Bytes()
		require.NoError(t, err)

		secondText, err := second.Bytes()
		require.NoError(t, err)

		plainText, err := plain.Bytes()
		require.NoError(t, err)

		want := sorted(encodeConfig(t, applyPatch(t, base, plainText)))

		once := applyPatch(t, base, secondText)
		assert.Equal(t, want, sorted(encodeConfig(t, once)), "on a config without it")
		assert.Equal(t, want, sorted(encodeConfig(t, applyPatch(t, once, secondText))), "on itself")
		assert.Equal(t, want, sorted(encodeConfig(t, applyPatch(t, applyPatch(t, base, firstText), secondText))), "on another")

		_, err = once.ValidateAsClient(metal{})
		require.NoError(t, err)
	}
}

// Labels and taints are not ours to delete.
func TestReplaceDeletesOnlyOurFields(t *testing.T) {
	t.Parallel()

	base := generateConfig(t, coreconfig.TalosVersion1_14, machine.TypeControlPlane)
	require.NotEmpty(t, base.K8sNodeConfig().Labels())

	made, err := patch.New(patch.WithReplace(), patch.WithAuthKey(parseKey(t, exampleKey)))
	require.NoError(t, err)

	text, err := made.Redacted()
	require.NoError(t, err)
	assert.Contains(t, string(text), "nodeIP:\n    $patch: delete\n")

	patched := applyPatch(t, base, text)
	assert.Equal(t, base.K8sNodeConfig().Labels(), patched.K8sNodeConfig().Labels())
	assert.Equal(t, base.K8sNodeConfig().Taints(), patched.K8sNodeConfig().Taints())
}

func TestReplaceNeedsANewContract(t *testing.T) {
	t.Parallel()

	_, err := patch.New(patch.WithContract(coreconfig.TalosVersion1_13), patch.WithReplace(), patch.WithAuthKey(parseKey(t, exampleKey)))
	require.EqualError(t, err, "a patch can only replace an earlier one on talos-version v1.14 or newer: use apply, which replaces on every version")
}

// The additions of a role are what its patch has beyond that of every node.
func TestRoleAdditionsOnly(t *testing.T) {
	t.Parallel()

	for _, contract := range contracts {
		options := []patch.Option{patch.WithContract(contract), patch.WithAuthKey(parseKey(t, exampleKey))}

		common, err := patch.New(options...)
		require.NoError(t, err)

		whole, err := patch.New(append(options, patch.WithRole(machine.TypeControlPlane.String()))...)
		require.NoError(t, err)

		additions, err := patch.New(append(options, patch.WithRole(machine.TypeControlPlane.String()), patch.WithOnlyRoleSpecific())...)
		require.NoError(t, err)

		base := generateConfig(t, contract, machine.TypeControlPlane)

		var texts [3][]byte
		for i, p := range []*patch.Patch{common, whole, additions} {
			texts[i], err = p.Bytes()
			require.NoError(t, err)
		}

		assert.NotContains(t, string(texts[2]), "TS_")
		assert.Equal(t, encodeConfig(t, applyPatch(t, base, texts[1])), encodeConfig(t, applyPatch(t, applyPatch(t, base, texts[0]), texts[2])))
	}

	_, err := patch.New(patch.WithRole(machine.TypeWorker.String()), patch.WithOnlyRoleSpecific())
	require.EqualError(t, err, "there is nothing that only the role worker may carry: leave the patch for it out")
}

// sorted returns the documents of a config in an order of their own: a patch before may have changed that of Talos.
func sorted(text string) []string {
	documents := strings.Split(text, "---\n")
	slices.Sort(documents)

	return documents
}
