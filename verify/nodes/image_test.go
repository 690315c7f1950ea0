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

// A node that does not say which schematic it runs is given no image to paste, but how to make one.
func TestUpgradeImageWithoutSchematic(t *testing.T) {
	t.Parallel()

	const another = "factory.talos.dev/metal-installer/abababababababababababababababababababababababababababababababab:v1.14.1"

	for image, want := range map[string]struct {
		code        verify.Code
		cause, next string
	}{
		"ghcr.io/siderolabs/installer:v1.14.1": {nodes.CodeImageLosesExtension, "without any extension", "schematic --image --talos-version v1.14.1"},
		another:                                {nodes.CodeSchematicUnknown, "the node does not say of which schematic its image is", "curl https://factory.talos.dev/schematics/ab"},
	} {
		cluster := start(t)
		node, err := cluster.AddHealthy("172.16.0.10")
		require.NoError(t, err)

		provider, err := configloader.NewFromBytes([]byte("version: v1alpha1\nmachine:\n  type: worker\n---\n" +
			"apiVersion: v1alpha1\nkind: UnattendedInstallConfig\ninstaller:\n  image: " + image + "\nprovisioning:\n  diskSelector:\n    match: system_disk\n"))
		require.NoError(t, err)

		node.Version = "v1.14.1"
		require.NoError(t, node.Set(config.NewMachineConfig(provider)))

		findings := nodes.Diagnose(inspect(t, cluster, talostest.RoleAdmin, "172.16.0.10"), nil)
		require.Equal(t, []verify.Code{want.code}, codesOf(findings), image)
		assert.Contains(t, findings[0].Cause, want.cause)
		assert.Contains(t, findings[0].Next[0], want.next)
	}
}
