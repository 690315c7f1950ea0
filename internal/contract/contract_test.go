package contract_test

import (
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
)

func TestParse(t *testing.T) {
	t.Parallel()

	for _, text := range []string{"v1.13", "1.13", "v1.13.5", "1.13.0-alpha.1"} {
		got, err := contract.Parse(text)
		require.NoError(t, err, text)
		assert.Equal(t, *config.TalosVersion1_13, *got, text)
	}

	for _, text := range []string{"", "latest", "v1", "v1.6", "0.0", "v0.0.0", "0.0.0.0/0", "v0.14"} {
		_, err := contract.Parse(text)
		require.Error(t, err, text)
	}
}
