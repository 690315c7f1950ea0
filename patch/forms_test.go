package patch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// form is what becomes of an option on contracts up to one: where it is in the patch, "" for nowhere, and what the notes
// say beyond those of newer contracts.
type form struct {
	upTo  *config.VersionContract
	where string
	note  string
}

// Each option on each contract is in the patch in the form that the contract takes, or in a lesser one with a note.
func TestFormByContract(t *testing.T) {
	t.Parallel()

	const (
		podsDoNot = "where the node runs Talos 1.14 or newer"
		genConfig = "run talosctl gen config with --install-image"
	)

	newest := config.TalosVersion1_14

	for name, tt := range map[string]struct {
		option patch.Option
		// text is what the document, or the field, holds.
		text  string
		forms []form
	}{
		"static host": {patch.WithStaticHost("vault", "100.82.13.87", "fd7a:115c:a1e0::d"), "vault", []form{
			{config.TalosVersion1_11, "extraHostEntries", podsDoNot},
			{config.TalosVersion1_13, "kind: StaticHostConfig", podsDoNot},
			{newest, "kind: StaticHostConfig", ""},
		}},
		"resolver of MagicDNS": {patch.WithMagicDNSResolver("192.168.1.1"), "100.100.100.100", []form{
			{config.TalosVersion1_11, "        nameservers:", ""},
			{newest, "kind: ResolverConfig", ""},
		}},
		"certificate name": {patch.WithCertSANs("lab.example.com"), "lab.example.com", []form{{newest, "    certSANs:", ""}}},
		"firewall":         {patch.WithFirewall(true), "port", []form{{newest, "kind: NetworkRuleConfig", ""}}},
		"KubeSpan filter": {patch.WithKubeSpanFilter(true), "!100.64.0.0/10", []form{
			{config.TalosVersion1_12, "        kubespan:", ""},
			{newest, "kind: KubeSpanConfig", ""},
		}},
		"IPv6 route": {patch.WithAdvertiseRoutes("2001:db8::/32"), "net.ipv6.conf.all.forwarding", []form{
			{config.TalosVersion1_13, "    sysctls:", ""},
			{newest, "kind: SysctlConfig", ""},
		}},
		"install image": {patch.WithInstallImage(factoryImage), factoryImage, []form{
			{config.TalosVersion1_13, "    install:", ""},
			{newest, "", genConfig},
		}},
	} {
		for _, contract := range contracts {
			t.Run(name+"_"+contract.String(), func(t *testing.T) {
				t.Parallel()

				made, err := patch.New(patch.WithContract(contract), tt.option)
				require.NoError(t, err)

				text, err := made.Bytes()
				require.NoError(t, err)

				notes := fmt.Sprint(made.Notes())
				form := formOn(contract, tt.forms)

				if form.where == "" {
					assert.NotContains(t, string(text), tt.text)
				} else {
					_, rest, found := strings.Cut(string(text), form.where)
					assert.True(t, found, string(text))
					assert.Contains(t, rest, tt.text)
				}

				for _, other := range tt.forms {
					if other.where != form.where && other.where != "" {
						assert.NotContains(t, string(text), other.where)
					}

					if other.note != form.note && other.note != "" {
						assert.NotContains(t, notes, other.note)
					}
				}

				assert.Contains(t, notes, form.note)
			})
		}
	}
}

func formOn(contract *config.VersionContract, forms []form) form {
	for _, form := range forms {
		if !contract.Greater(form.upTo) {
			return form
		}
	}

	return form{}
}

// The tailscale service waits until the network is up, and a network probe is part of that: one of a tailnet address would
// never succeed, and the node never join. So no option makes one, nor any other kind of document than these.
func TestNoOptionMakesProbes(t *testing.T) {
	t.Parallel()

	kinds := []string{
		v1alpha1.Version, "ExtensionServiceConfig", "KubeNodeConfig", "StaticHostConfig", "ResolverConfig", "NetworkRuleConfig", "KubeSpanConfig",
		"SysctlConfig", "KubeAPIServerConfig",
	}

	var used strings.Builder

	for _, file := range []string{"cases_test.go", "cases_node_test.go"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		used.Write(text)
	}

	for _, option := range exportedOptions(t) {
		switch option {
		case "WithBase", "WithOnlyRoleSpecific", "WithSettings", "WithTalosVersion", "WithTarget", "WithoutAuthKey", "WithUnset": // they add nothing of their own
			continue
		}

		assert.True(t, strings.Contains(used.String(), "patch."+option+"("), "no case has the option %s", option)
	}

	for _, c := range goldenCases() {
		for _, contract := range contracts {
			if c.replaces && contract != config.TalosVersion1_14 {
				continue
			}

			documents, err := c.patch(t, contract).Documents()
			require.NoError(t, err)

			for _, document := range documents {
				assert.Contains(t, kinds, document.Kind(), c.name)
			}
		}
	}
}

// exportedOptions finds the options in the source.
func exportedOptions(t *testing.T) []string {
	t.Helper()

	files, err := filepath.Glob("*.go")
	require.NoError(t, err)

	var names []string

	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)

		for _, match := range regexp.MustCompile(`(?m)^func (With\w+)\([^)]*\) Option`).FindAllStringSubmatch(string(text), -1) {
			names = append(names, match[1])
		}
	}

	require.Greater(t, len(names), 20)

	return names
}

// The first document is the v1alpha1 fragment, and there is one of it.
func TestDocumentOrder(t *testing.T) {
	t.Parallel()

	order := map[string][]string{
		"v1.11": {v1alpha1.Version, "ExtensionServiceConfig", "NetworkRuleConfig", "NetworkRuleConfig", "NetworkRuleConfig"},
		"v1.14": {
			v1alpha1.Version, "ExtensionServiceConfig", "KubeNodeConfig", "StaticHostConfig", "ResolverConfig", "NetworkRuleConfig", "NetworkRuleConfig",
			"NetworkRuleConfig", "KubeSpanConfig", "SysctlConfig", "KubeAPIServerConfig",
		},
	}

	for _, c := range goldenCases() {
		for _, contract := range c.versions() {
			if c.name != "controlplane-node" || order[contract.String()] == nil {
				continue
			}

			documents, err := c.patch(t, contract).Documents()
			require.NoError(t, err)

			var kinds []string
			for _, document := range documents {
				kinds = append(kinds, document.Kind())
			}

			assert.Equal(t, order[contract.String()], kinds)
		}
	}
}
