package nodeip_test

import (
	_ "embed"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	//go:embed testdata/downstream/v1.13.yaml
	wantLegacy string
	//go:embed testdata/downstream/v1.14.yaml
	wantDocument string
)

// The golden test that a program with the function of ExampleSubnets_Bytes has in its own repository. It fails where a new version
// of this package would change what the nodes of that program get: in a major version only.
func TestValidSubnetsAreGolden(t *testing.T) {
	t.Parallel()

	for contract, want := range map[*config.VersionContract]string{config.TalosVersion1_13: wantLegacy, config.TalosVersion1_14: wantDocument} {
		text, err := validSubnets(contract, "192.168.1.0/24", "!192.168.1.128/25")
		require.NoError(t, err)
		assert.Equal(t, want, string(text))
	}
}
