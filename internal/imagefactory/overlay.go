package imagefactory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/siderolabs/image-factory/pkg/schematic"
	"github.com/siderolabs/talos/pkg/machinery/platforms"
	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/internal/lazyregexp"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

var (
	overlayName   = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	overlayOption = lazyregexp.New(`^[A-Za-z][A-Za-z0-9_-]*$`)
)

// parseOverlay reads IMAGE[,NAME[,OPTION=VALUE...]]. Machinery knows the boards of Talos, so NAME can be left out where an
// image is for one board alone. A VALUE is read as YAML, as it would be in a schematic that was written by hand.
func parseOverlay(text string) (schematic.Overlay, error) {
	parts := strings.Split(text, ",")

	overlay := schematic.Overlay{Image: strings.TrimSpace(parts[0])}
	if overlay.Image != "" && !strings.Contains(overlay.Image, "/") {
		overlay.Image = officialOwner + overlay.Image
	}

	if secret.Looks(text) || !extensionName().MatchString(overlay.Image) {
		return overlay, fmt.Errorf("overlay %s is not valid: write IMAGE,NAME, such as siderolabs/sbc-raspberrypi,rpi_generic", quote.Value(text))
	}

	known := overlayNames(overlay.Image)

	switch {
	case len(parts) > 1:
		overlay.Name = strings.TrimSpace(parts[1])
	case len(known) == 1:
		overlay.Name = known[0]
	case len(known) > 1:
		return overlay, fmt.Errorf("overlay %s is for several boards: write %s,NAME with one of %s", overlay.Image, overlay.Image, strings.Join(known, ", "))
	}

	if !overlayName().MatchString(overlay.Name) {
		return overlay, fmt.Errorf("overlay %s needs the name of the board: write IMAGE,NAME, such as siderolabs/sbc-raspberrypi,rpi_generic", quote.Value(text))
	}

	if len(known) > 0 && !slices.Contains(known, overlay.Name) {
		return overlay, fmt.Errorf("overlay %s has no board %s: write one of %s", overlay.Image, quote.Value(overlay.Name), strings.Join(known, ", "))
	}

	for _, part := range parts[min(2, len(parts)):] {
		name, value, found := strings.Cut(part, "=")
		if !found || !overlayOption().MatchString(name) {
			return overlay, fmt.Errorf("overlay option %s is not valid: write OPTION=VALUE, or options that hold a comma into a schematic file", quote.Value(part))
		}

		var read any
		if err := yaml.Unmarshal([]byte(value), &read); err != nil {
			read = value
		}

		if overlay.Options == nil {
			overlay.Options = map[string]any{}
		}

		overlay.Options[name] = read
	}

	return overlay, nil
}

// overlayNames returns the names of the overlays in an image, sorted; none if Talos does not know the image.
func overlayNames(image string) []string {
	var names []string

	for _, board := range platforms.SBCs() {
		if board.OverlayImage == image {
			names = append(names, board.OverlayName)
		}
	}

	slices.Sort(names)

	return slices.Compact(names)
}

// overlayExample returns an overlay that an image has, for messages.
func overlayExample(image string) string {
	if names := overlayNames(image); len(names) > 0 {
		return image + "," + names[len(names)-1]
	}

	return image + ",NAME"
}
