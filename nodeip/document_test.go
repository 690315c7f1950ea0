package nodeip_test

import (
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/k8s"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/nodeip"
)

func TestDocument(t *testing.T) {
	t.Parallel()

	subnets, err := nodeip.Parse("0.0.0.0/0")
	require.NoError(t, err)

	for _, version := range []*config.VersionContract{nil, config.TalosVersion1_14} {
		document, err := subnets.Document(version)
		require.NoError(t, err)

		node, ok := document.(*k8s.KubeNodeConfigV1Alpha1)
		require.True(t, ok, "%T", document)
		assert.Equal(t, []string{"0.0.0.0/0", "!100.64.0.0/10"}, node.NodeIP().ValidSubnets())
	}

	for _, version := range []*config.VersionContract{config.TalosVersion1_7, config.TalosVersion1_13} {
		document, err := subnets.Document(version)
		require.NoError(t, err)

		legacy, ok := document.(*v1alpha1.Config)
		require.True(t, ok, "%T", document)
		assert.Equal(t, []string{"0.0.0.0/0", "!100.64.0.0/10"}, legacy.K8sNodeConfig().NodeIP().ValidSubnets())
		assert.Nil(t, legacy.ClusterConfig)
	}

	_, err = subnets.Document(config.TalosVersion1_6)
	require.EqualError(t, err, "talos version v1.6 is not supported: use one from v1.7 to v1.14")

	_, err = subnets.Bytes(config.TalosVersion1_6)
	require.Error(t, err)

	// a newer Talos is taken as the newest
	newer, err := subnets.Document(&config.VersionContract{Major: 1, Minor: 15})
	require.NoError(t, err)
	assert.IsType(t, &k8s.KubeNodeConfigV1Alpha1{}, newer)
}

func TestNoSubnetsNoDocument(t *testing.T) {
	t.Parallel()

	document, err := nodeip.Subnets{}.Document(nil)
	require.NoError(t, err)
	assert.Nil(t, document)
	assert.Nil(t, nodeip.Subnets{}.EtcdDocument())

	text, err := nodeip.Subnets{}.Bytes(nil)
	require.NoError(t, err)
	assert.Nil(t, text)
}

func TestEtcdDocument(t *testing.T) {
	t.Parallel()

	document := nodeip.Default().EtcdDocument()
	assert.Equal(t, []string{"0.0.0.0/0", "!100.64.0.0/10"}, document.ClusterConfig.EtcdConfig.AdvertisedSubnets())
	assert.Nil(t, document.MachineConfig)
}
