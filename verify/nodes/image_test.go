package nodes_test

import (
	"fmt"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/resources/config"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talostest"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

const runningSchematic = "708747e350d604ae9e57227d8dcf274091453ddb1097b765d4ea8884f1992c1f"

// withImage sets the image that the config of a node installs, and the schematic that the node runs.
func withImage(n *talostest.Node, image string) error {
	provider, err := configloader.NewFromBytes([]byte("version: v1alpha1\nmachine:\n  type: worker\n  token: CANARY\n  install:\n    image: " + image + "\n"))
	if err != nil {
		return err
	}

	schematic := talostest.Extension("schematic")
	schematic.TypedSpec().Metadata.Version = runningSchematic
	n.Version, n.Platform = "v1.14.1", "metal"

	return n.Set(config.NewMachineConfig(provider), schematic)
}

// The image of an upgrade is ready to be pasted, and what the config holds besides is nowhere.
func TestUpgradeImage(t *testing.T) {
	t.Parallel()

	cluster := start(t)

	for image, want := range map[string]string{
		"ghcr.io/siderolabs/installer:v1.14.1": "factory.talos.dev/metal-installer/" + runningSchematic + ":v1.14.1",
		"factory.example.com/nocloud-installer-secureboot/376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba:v1.13.0": "factory.example.com/nocloud-installer-secureboot/" + runningSchematic + ":v1.14.1",
		"factory.talos.dev/metal-installer/" + runningSchematic + ":v1.14.0":                                                        "",
		"factory.talos.dev/installer/4a0d65c669d46663f377e7161e50cfd570c401f26fd9e7bda34a0216b6f1922b:v1.14.0":                      "",
		"registry.example.com/our/installer:v1":                                                                                     "",
	} {
		node, err := cluster.AddHealthy("172.16.0.10")
		require.NoError(t, err)
		require.NoError(t, withImage(node, image))

		seen := inspect(t, cluster, talostest.RoleAdmin, "172.16.0.10")
		assert.NotContains(t, fmt.Sprintf("%+v", seen), "CANARY")

		findings := nodes.Diagnose(seen, nil)
		if want == "" {
			assert.Empty(t, findings, image)

			continue
		}

		require.Equal(t, []verify.Code{nodes.CodeImageLosesExtension}, codesOf(findings))
		assert.Equal(t, "until then, upgrade with it, and with no other: talosctl upgrade --nodes 172.16.0.10 --image "+want, findings[0].Next[1])
	}
}
