package patch

import (
	"errors"
	"testing"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/generate"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talostest"
)

// wrongFeature is a feature with a mistake in it: it sets a field of the v1alpha1 config, and owns another one.
type wrongFeature struct {
	sets  []any
	value any
	owns  []string
}

func (wrongFeature) documents(*coreconfig.VersionContract, bool) []config.Document { return nil }
func (wrongFeature) deletions() []string                                           { return nil }

func (f wrongFeature) owned() []machineconfig.Field {
	return []machineconfig.Field{legacyField(f.owns...)}
}

func (f wrongFeature) apply(m *merging) error {
	d, _ := m.legacy()
	m.edit.Set(d, f.value, f.sets...)

	return nil
}

// A mistake of a feature is no damaged config: nothing is returned that differs elsewhere, or that Talos does not take.
func TestApplyProvesItsResult(t *testing.T) {
	t.Parallel()

	text, err := talostest.Config(machine.TypeWorker, generate.WithVersionContract(coreconfig.TalosVersion1_13))
	require.NoError(t, err)

	config, err := ParseConfig(text)
	require.NoError(t, err)

	for name, tt := range map[string]struct {
		feature wrongFeature
		want    ConfigCode
	}{
		"another value":       {wrongFeature{[]any{"machine", "token"}, "EXAMPLE", []string{"machine", "certSANs"}}, ConfigUnproven},
		"another place":       {wrongFeature{[]any{"machine", "sysctls", "a"}, "1", []string{"machine", "sysctls", "b"}}, ConfigUnproven},
		"a key without a use": {wrongFeature{[]any{"machine", "nothing"}, "1", []string{"machine", "nothing"}}, ConfigUnreadable},
		"what is no subnet":   {wrongFeature{[]any{"machine", "kubelet", "nodeIP", "validSubnets"}, []string{"SECRET"}, []string{"machine", "kubelet", "nodeIP"}}, ConfigInvalid},
		"what is refused":     {wrongFeature{[]any{"cluster", "etcd", "advertisedSubnets"}, []string{"192.168.1.0/24"}, []string{"cluster", "etcd"}}, ConfigInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			made, err := New(WithTarget(config))
			require.NoError(t, err)

			made.features = append(made.features, tt.feature)

			applied, err := made.Apply(config)
			require.Error(t, err)
			assert.Nil(t, applied)

			fault, ok := errors.AsType[*ConfigError](err)
			require.True(t, ok, err)
			assert.Equal(t, tt.want, fault.Code, err)
			assert.NotContains(t, err.Error(), "SECRET")
		})
	}
}
