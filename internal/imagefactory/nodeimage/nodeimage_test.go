package nodeimage

import (
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/client"
	clientconfig "github.com/siderolabs/talos/pkg/machinery/client/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/imagefactory"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talostest"
)

const text = "overlay:\n    image: siderolabs/sbc-raspberrypi\n    name: rpi_generic\ncustomization:\n    extraKernelArgs:\n        - net.ifnames=0\n"

func TestRead(t *testing.T) {
	t.Parallel()

	cluster, err := talostest.Start()
	require.NoError(t, err)
	t.Cleanup(cluster.Close)

	made := talostest.Extension("schematic")
	made.TypedSpec().Metadata.Version, made.TypedSpec().Metadata.ExtraInfo = "some-id", text

	secured := runtime.NewSecurityStateSpec(runtime.NamespaceName)
	secured.TypedSpec().SecureBoot = true

	node := cluster.Add("made")
	node.Version, node.Platform = "v1.13.5", "nocloud"
	require.NoError(t, node.Set(made, secured, talostest.Extension("tailscale"), talostest.Extension("iscsi-tools"), talostest.Extension("modules.dep")))

	cluster.Add("bare").Version = "v1.14.1"
	cluster.Add("off").Down = true

	text, err := cluster.Talosconfig(talostest.RoleReader)
	require.NoError(t, err)

	config, err := clientconfig.FromBytes(text)
	require.NoError(t, err)

	talos, err := client.New(t.Context(), client.WithConfig(config))
	require.NoError(t, err)
	t.Cleanup(func() { _ = talos.Close() })

	image, err := Read(client.WithNode(t.Context(), "made"), talos)
	require.NoError(t, err)
	assert.Equal(t, Image{
		Version: "v1.13.5", Platform: "nocloud", SecureBoot: true,
		SchematicID: "some-id", Schematic: []byte(made.TypedSpec().Metadata.ExtraInfo), Extensions: []string{"iscsi-tools", "tailscale"},
	}, image)

	image, err = Read(client.WithNode(t.Context(), "bare"), talos)
	require.NoError(t, err)
	assert.Equal(t, Image{Version: "v1.14.1"}, image)
	assert.False(t, image.FromFactory())

	_, err = Read(client.WithNode(t.Context(), "off"), talos)
	require.Error(t, err)
}

func TestSchematicText(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		image Image
		want  string
	}{
		"its contents":       {Image{SchematicID: "x", Schematic: []byte(text), Extensions: []string{"iscsi-tools"}}, text},
		"the empty one":      {Image{SchematicID: imagefactory.EmptyID}, "customization: {}\n"},
		"no factory":         {Image{}, "customization: {}\n"},
		"tailscale alone":    {Image{Extensions: []string{"tailscale"}}, "customization: {}\n"},
		"an ID alone":        {Image{SchematicID: "x"}, ""},
		"others, no factory": {Image{Extensions: []string{"iscsi-tools", "tailscale"}}, ""},
	} {
		got, err := test.image.SchematicText()
		if test.want == "" {
			require.ErrorIs(t, err, errUnknown, name)
		} else {
			require.NoError(t, err, name)
			assert.Equal(t, test.want, string(got), name)
		}
	}
}
