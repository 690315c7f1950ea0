package patch_test

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configpatcher"
	"github.com/siderolabs/talos/pkg/machinery/config/container"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/generate"
	"github.com/siderolabs/talos/pkg/machinery/config/generate/secrets"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/siderolabs/talos/pkg/machinery/config/types/k8s"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime/extensions"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
	"github.com/siderolabs/talos/pkg/machinery/config/validation"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// override returns variables with those of others replaced by name, and the rest of others at the end.
func override(variables []string, others ...string) []string {
	result := slices.Clone(variables)

	for _, other := range others {
		name, _, _ := strings.Cut(other, "=")

		if i := slices.IndexFunc(result, func(v string) bool { return strings.HasPrefix(v, name+"=") }); i >= 0 {
			result[i] = other
		} else {
			result = append(result, other)
		}
	}

	return result
}

// bundle is the PKI of all generated configs: making one takes seconds.
var bundle = sync.OnceValues(func() (*secrets.Bundle, error) {
	return secrets.NewBundle(secrets.NewClock(), coreconfig.TalosVersionCurrent)
})

// generateConfig makes a machine config as talosctl gen config does.
func generateConfig(t testing.TB, contract *coreconfig.VersionContract, role machine.Type) coreconfig.Provider {
	t.Helper()

	pki, err := bundle()
	require.NoError(t, err)

	input, err := generate.NewInput("test", "https://192.168.1.10:6443", constants.DefaultKubernetesVersion,
		generate.WithVersionContract(contract), generate.WithSecretsBundle(pki), generate.WithInstallDisk("/dev/sda"))
	require.NoError(t, err)

	provider, err := input.Config(role)
	require.NoError(t, err)

	return provider
}

// metal is the mode of validation for machines that Talos is installed on.
type metal struct{}

func (metal) String() string        { return "metal" }
func (metal) RequiresInstall() bool { return true }
func (metal) InContainer() bool     { return false }

var _ validation.RuntimeMode = metal{}

// applyPatch applies a patch as talosctl does.
func applyPatch(t testing.TB, provider coreconfig.Provider, text []byte) coreconfig.Provider {
	t.Helper()

	loaded, err := configpatcher.LoadPatch(text)
	require.NoError(t, err)

	output, err := configpatcher.Apply(configpatcher.WithConfig(provider), []configpatcher.Patch{loaded})
	require.NoError(t, err)

	patched, err := output.Config()
	require.NoError(t, err)

	return patched
}

// Every golden file is a patch that Talos itself takes, that says what was asked for, and nothing else.
func TestConformance(t *testing.T) {
	t.Parallel()

	for _, c := range goldenCases() {
		for _, contract := range c.versions() {
			for _, role := range []machine.Type{machine.TypeControlPlane, machine.TypeWorker} {
				if c.role != machine.TypeUnknown && c.role != role {
					continue
				}

				t.Run(c.name+"_"+contract.String()+"_"+role.String(), func(t *testing.T) {
					t.Parallel()

					text, err := os.ReadFile(goldenFile(c, contract))
					require.NoError(t, err)

					base := generateConfig(t, contract, role)
					patched := applyPatch(t, base, text)

					_, err = patched.ValidateAsClient(metal{})
					require.NoError(t, err)

					assertHolds(t, c, contract, patched)
					assert.Equal(t, encodeConfig(t, base), encodeConfig(t, withoutOurs(t, patched, base)), "the rest of the config is unchanged")

					redacted, err := os.ReadFile(redactedFile(goldenFile(c, contract)))
					require.NoError(t, err)

					_, err = configpatcher.LoadPatch(redacted)
					require.NoError(t, err)
				})
			}
		}
	}
}

func assertHolds(t *testing.T, c goldenCase, contract *coreconfig.VersionContract, patched coreconfig.Provider) {
	t.Helper()

	services := patched.ExtensionServiceConfigs()
	require.Len(t, services, 1)
	assert.Equal(t, "tailscale", services[0].Name())
	assert.Equal(t, c.wantEnvironment(), services[0].Environment())

	want := c.files
	if c.mount != "" {
		want = map[string]string{c.mount: c.secret()}
	}

	files := map[string]string{}
	for _, file := range services[0].ConfigFiles() {
		files[file.MountPath()] = file.Content()
	}

	assert.Len(t, files, len(want))

	for mount, content := range want {
		assert.Equal(t, content, files[mount])
	}

	if want := c.wantNodeIP(); len(want) > 0 {
		assert.Equal(t, want, patched.K8sNodeConfig().NodeIP().ValidSubnets())
	} else {
		assert.Empty(t, patched.K8sNodeConfig().NodeIP().ValidSubnets())
	}

	if patched.Machine().Type() == machine.TypeControlPlane {
		if len(c.etcd) > 0 {
			assert.Equal(t, c.etcd, patched.Cluster().Etcd().AdvertisedSubnets())
		} else {
			assert.Empty(t, patched.Cluster().Etcd().AdvertisedSubnets())
		}
	}

	assertNodeHolds(t, c.wantNode, patched)

	// the form that the contract wants, not only its effect
	legacy := patched.RawV1Alpha1().MachineConfig.MachineKubelet
	inLegacyForm := legacy != nil && legacy.KubeletNodeIP != nil
	assert.Equal(t, contract != coreconfig.TalosVersion1_14 && len(c.wantNodeIP()) > 0, inLegacyForm)
}

// withoutOurs takes out of a patched config what our patches set, as base has it.
func withoutOurs(t *testing.T, patched, base coreconfig.Provider) coreconfig.Provider {
	t.Helper()

	var documents []config.Document

	for _, document := range patched.Clone().Documents() {
		if !withoutNode(document, base) {
			continue
		}

		switch d := document.(type) {
		case *extensions.ServiceConfigV1Alpha1:
			continue
		case *k8s.KubeNodeConfigV1Alpha1:
			d.NodeIPConfig = k8s.NodeIPConfig{}
		case *v1alpha1.Config:
			original := base.RawV1Alpha1()

			if original.MachineConfig.MachineKubelet == nil {
				d.MachineConfig.MachineKubelet = nil
			} else {
				d.MachineConfig.MachineKubelet.KubeletNodeIP = nil
			}

			if original.ClusterConfig.EtcdConfig == nil {
				d.ClusterConfig.EtcdConfig = nil
			} else {
				d.ClusterConfig.EtcdConfig.EtcdAdvertisedSubnets = nil
			}
		}

		documents = append(documents, document)
	}

	result, err := container.New(documents...)
	require.NoError(t, err)

	return result
}

func encodeConfig(t *testing.T, provider coreconfig.Provider) string {
	t.Helper()

	text, err := provider.EncodeBytes(encoder.WithComments(encoder.CommentsDisabled))
	require.NoError(t, err)

	return string(text)
}

// An importer that puts the documents into a config of its own gets what talosctl gets from the bytes.
func TestDocumentsAreWhatBytesSay(t *testing.T) {
	t.Parallel()

	for _, c := range goldenCases() {
		if c.replaces {
			continue // what deletes has no typed form
		}

		for _, contract := range c.versions() {
			made := c.patch(t, contract)

			text, err := made.Bytes()
			require.NoError(t, err)

			documents, err := made.Documents()
			require.NoError(t, err)

			mine, err := container.New(documents...)
			require.NoError(t, err)

			loaded, err := configpatcher.LoadPatch(text)
			require.NoError(t, err)

			assert.Equal(t, loaded.(patchDocuments).Documents(), mine.Documents(), "%s %s", c.name, contract)
		}
	}
}

type patchDocuments interface{ Documents() []config.Document }

// Changing a document must not change the patch that it came from.
func TestDocumentsAreTheCallersOwn(t *testing.T) {
	t.Parallel()

	made, err := patch.New(patch.WithAuthKey(parseKey(t, exampleKey)))
	require.NoError(t, err)

	before, err := made.Bytes()
	require.NoError(t, err)

	documents, err := made.Documents()
	require.NoError(t, err)

	documents[0].(*extensions.ServiceConfigV1Alpha1).ServiceEnvironment[1] = "CHANGED=true"
	documents[1].(*k8s.KubeNodeConfigV1Alpha1).NodeIPConfig.NodeIPValidSubnets[0] = "203.0.113.0/24"

	after, err := made.Bytes()
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after))
}
