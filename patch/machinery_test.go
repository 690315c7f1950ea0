package patch_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// machineryConfigs returns the machine configs with a role that the tests of Talos's machinery have and its own loader
// takes, by their names.
func machineryConfigs(t testing.TB) map[string][]byte {
	t.Helper()

	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/siderolabs/talos/pkg/machinery").Output()
	require.NoError(t, err)

	root := strings.TrimSpace(string(dir))
	configs := map[string][]byte{}

	require.NoError(t, filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.Contains(path, "testdata") || filepath.Ext(path) != ".yaml" {
			return err
		}

		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}

		provider, err := configloader.NewFromBytes(text)
		if err != nil || provider.RawV1Alpha1() == nil || provider.RawV1Alpha1().MachineConfig == nil || provider.RawV1Alpha1().MachineConfig.MachineType == "" {
			return nil //nolint:nilerr // no machine config of a node
		}

		name, _ := filepath.Rel(root, path)
		configs[name] = text

		return nil
	}))

	return configs
}

// Every machine config of machinery's tests is taken; those of a form before v1.7 with a version.
func TestApplyTakesMachineryConfigs(t *testing.T) {
	t.Parallel()

	older := 0
	configs := machineryConfigs(t)

	for name, text := range configs {
		options := []patch.Option{patch.WithAuthKey(parseKey(t, exampleKey)), patch.WithAdvertiseTags("tag:k8s")}

		config, err := patch.ParseConfig(text)
		require.NoError(t, err, name)

		if config.Contract() == nil {
			_, err := patch.New(append(options, patch.WithBase(config))...)
			require.Error(t, err)

			options = append(options, patch.WithTalosVersion("v1.7"))
			older++
		}

		made, err := patch.New(append(options, patch.WithBase(config))...)
		require.NoError(t, err, name)

		once, err := made.Apply(config)

		if shared, ok := errors.AsType[*patch.ConfigError](err); ok && shared.Code == patch.ConfigShared {
			t.Log(name, err) // an anchor, by name

			continue
		}

		require.NoError(t, err, name)
		assert.True(t, once.Changed(), name)
		assert.Equal(t, string(once.Bytes()), string(applied(t, made, once.Bytes())), name)
	}

	assert.Greater(t, len(configs), 60)
	t.Logf("%d configs, %d of them of a form before v1.7", len(configs), older)
}
