// Package nodeimage reads from a node what image it runs, so that the next one can be made like it.
package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/client"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"

	"github.com/talos-tsbridge/talos-tsbridge/internal/imagefactory"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
)

// modulesExtension is one that Talos's imager adds when an extension brings kernel modules.
const modulesExtension = "modules.dep"

// Image is the image that a node runs.
type Image struct {
	// Version is the release of Talos, such as v1.14.1, and Platform where it runs, such as metal.
	Version, Platform string
	// SecureBoot reports that the node was booted with it.
	SecureBoot bool
	// SchematicID and Schematic are what Image Factory put into the image; empty when another program made it. The empty
	// schematic is told by neither.
	SchematicID string
	Schematic   []byte
	// Extensions are the names of the extensions by their manifests, sorted. An extension can go by another name in a
	// schematic.
	Extensions []string
}

// Read asks the node that the context is for, see [client.WithNode].
func Read(ctx context.Context, talos *client.Client) (Image, error) {
	var image Image

	extensions, err := safe.StateListAll[*runtime.ExtensionStatus](ctx, talos.COSI)
	if err != nil {
		return Image{}, fmt.Errorf("the extensions: %w", talosapi.Failure("", err))
	}

	for extension := range extensions.All() {
		switch metadata := extension.TypedSpec().Metadata; metadata.Name {
		case constants.ImageFactorySchematicExtensionName:
			image.SchematicID = metadata.Version

			if metadata.ExtraInfo != "" {
				image.Schematic = []byte(metadata.ExtraInfo)
			}
		case modulesExtension:
		default:
			image.Extensions = append(image.Extensions, metadata.Name)
		}
	}

	slices.Sort(image.Extensions)

	security, err := safe.StateGetByID[*runtime.SecurityState](ctx, talos.COSI, runtime.SecurityStateID)
	if err != nil && !state.IsNotFoundError(err) {
		return Image{}, fmt.Errorf("the state of secure boot: %w", talosapi.Failure("", err))
	}

	if err == nil {
		image.SecureBoot = security.TypedSpec().SecureBoot
	}

	answer, err := talos.Version(ctx)
	if err != nil {
		return Image{}, fmt.Errorf("the version: %w", talosapi.Failure("", err))
	}

	for _, message := range answer.GetMessages() {
		image.Version, image.Platform = message.GetVersion().GetTag(), message.GetPlatform().GetName()
	}

	return image, nil
}

// errUnknown tells that a node does not say what is in its image.
var errUnknown = errors.New("what is in the image cannot be told")

// SchematicText returns the schematic of the image as YAML.
//
// A node of an image that Image Factory did not make has no schematic, and neither do its extensions say by which name
// Image Factory knows them: that is an error, unless there are none but tailscale.
func (i Image) SchematicText() ([]byte, error) {
	switch {
	case i.Schematic != nil:
		return i.Schematic, nil
	case i.SchematicID == imagefactory.EmptyID:
		return []byte("customization: {}\n"), nil
	case i.SchematicID != "":
		return nil, fmt.Errorf("%w: it has the schematic %s, whose contents are not in it; get them from Image Factory, GET /schematics/%s, and give them as the file", errUnknown, i.SchematicID, i.SchematicID)
	case len(i.Extensions) == 0 || slices.Equal(i.Extensions, []string{"tailscale"}):
		return []byte("customization: {}\n"), nil
	default:
		return nil, fmt.Errorf("%w: it was not made by Image Factory and has the extensions %s; name those that the next image needs as extensions instead", errUnknown, strings.Join(i.Extensions, ", "))
	}
}

// FromFactory reports whether Image Factory made the image. Of others, nothing tells the kernel arguments that were added.
func (i Image) FromFactory() bool { return i.SchematicID != "" }
