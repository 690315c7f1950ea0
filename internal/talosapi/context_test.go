package talosapi_test

import (
	"strings"
	"testing"

	clientconfig "github.com/siderolabs/talos/pkg/machinery/client/config"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
)

const talosconfig = `# mine
context: lab # the one at home
contexts:
    other: {endpoints: [10.0.0.1], ca: Y2E=, crt: Y3J0, key: a2V5}   # of a colleague
    lab:
        endpoints:
            - 192.168.1.10
        ca: Y2EtbGFi
        crt: Y3J0LWxhYg==
        key: a2V5LWxhYg==
# the end
`

func TestAddContext(t *testing.T) {
	t.Parallel()

	text, changed, err := talosapi.AddContext([]byte(talosconfig), "", "lab-tailnet", []string{"100.64.0.10"}, []string{"192.168.1.10", "192.168.1.11"})
	require.NoError(t, err)
	assert.True(t, changed)

	for line := range strings.Lines(talosconfig) {
		assert.Contains(t, string(text), line, "what was there keeps its bytes")
	}

	config, err := clientconfig.FromBytes(text)
	require.NoError(t, err)
	assert.Equal(t, "lab", config.Context, "the current context stays")
	require.Contains(t, config.Contexts, "lab-tailnet")
	assert.Equal(t, []string{"100.64.0.10"}, config.Contexts["lab-tailnet"].Endpoints)
	assert.Equal(t, []string{"192.168.1.10", "192.168.1.11"}, config.Contexts["lab-tailnet"].Nodes)
	assert.Equal(t, config.Contexts["lab"].Key, config.Contexts["lab-tailnet"].Key)
	assert.Equal(t, []string{"192.168.1.10"}, config.Contexts["lab"].Endpoints)

	again, changed, err := talosapi.AddContext(text, "lab", "lab-tailnet", []string{"100.64.0.10"}, []string{"192.168.1.10", "192.168.1.11"})
	require.NoError(t, err)
	assert.False(t, changed)
	assert.Equal(t, string(text), string(again))
}

func TestAddContextRefuses(t *testing.T) {
	t.Parallel()

	_, _, err := talosapi.AddContext([]byte(talosconfig), "lab", "other", []string{"100.64.0.10"}, nil)
	require.ErrorIs(t, err, talosapi.ErrContextDiffers, "a context that is there is not overwritten")

	for name, text := range map[string]string{"no context": "context: lab\ncontexts: {}\n", "no YAML": "contexts: [a2V5LWxhYg==", "nothing": ""} {
		_, _, err = talosapi.AddContext([]byte(text), "", "new", nil, nil)
		require.Error(t, err, name)
		assert.NotContains(t, err.Error(), "a2V5")
	}
}
