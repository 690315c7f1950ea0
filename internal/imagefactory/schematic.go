// Package imagefactory says what Talos Image Factory would: the schematic of an image with system extensions, its ID, and the
// installer image, all without a request.
package imagefactory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/siderolabs/image-factory/pkg/schematic"

	"github.com/talos-tsbridge/talos-tsbridge/internal/lazyregexp"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

const (
	// tailscaleExtension is the system extension that the patch configures.
	tailscaleExtension = "siderolabs/tailscale"
	// EmptyID is the ID of the schematic without any customization: the image that Talos is released with.
	EmptyID = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba"

	officialOwner = "siderolabs/"
)

var extensionName = lazyregexp.New(`^[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9._-]*$`)

// Choices are what a schematic is made of. The zero Choices are the tailscale extension alone.
type Choices struct {
	// From is the YAML of a schematic that exists. What it has is kept, in its order.
	From []byte
	// Extensions are further system extensions. "siderolabs/" is added where there is no owner.
	Extensions []string
	// KernelArgs are further kernel arguments, after those of From.
	KernelArgs []string
	// Overlay is the overlay of a board, as IMAGE[,NAME[,OPTION=VALUE...]], in place of that of From.
	Overlay string
}

// Schematic is an image with system extensions, one of which is tailscale.
type Schematic struct {
	text    []byte
	id      string
	options schematic.Schematic
}

// New makes the schematic of the tailscale extension and the choices. Like Image Factory's own page, it sorts the
// extensions, because their order changes the ID, unless those of From have another order: then new ones follow them. The
// order of kernel arguments is kept, because it has a meaning.
//
// Its error joins all faults.
func New(choices Choices) (Schematic, error) {
	made, err := parse(choices.From)
	if err != nil {
		return Schematic{}, err
	}

	var faults []error

	extensions := &made.Customization.SystemExtensions.OfficialExtensions
	sorted := slices.IsSorted(*extensions)

	for _, text := range slices.Concat(choices.Extensions, []string{tailscaleExtension}) {
		name, err := parseExtension(text)
		if err != nil {
			faults = append(faults, err)
		} else if !slices.Contains(*extensions, name) {
			*extensions = append(*extensions, name)
		}
	}

	if sorted {
		slices.Sort(*extensions)
	}

	for _, argument := range choices.KernelArgs {
		if err := checkKernelArgument(argument); err != nil {
			faults = append(faults, err)
		} else if !slices.Contains(made.Customization.ExtraKernelArgs, argument) {
			made.Customization.ExtraKernelArgs = append(made.Customization.ExtraKernelArgs, argument)
		}
	}

	if choices.Overlay != "" {
		if made.Overlay, err = parseOverlay(choices.Overlay); err != nil {
			faults = append(faults, err)
		}
	}

	if len(faults) > 0 {
		return Schematic{}, errors.Join(faults...)
	}

	return marshal(made)
}

// parse reads a schematic as Image Factory does. No text is the empty schematic.
func parse(text []byte) (schematic.Schematic, error) {
	if text == nil {
		return schematic.Schematic{}, nil
	}

	made, err := schematic.Unmarshal(text)
	if err == nil {
		err = made.Validate(made.Owner != "") // an owner is for Image Factory Enterprise
	}

	if err != nil {
		// the parser quotes the text, which can hold a machine config with its secrets
		return schematic.Schematic{}, errors.New("the schematic cannot be read: it must have the fields that Image Factory knows, such as customization and overlay")
	}

	return *made, nil
}

func parseExtension(text string) (string, error) {
	name := strings.TrimSpace(text)
	if name != "" && !strings.Contains(name, "/") {
		name = officialOwner + name
	}

	switch {
	case secret.Looks(name), !extensionName().MatchString(name):
		return "", fmt.Errorf("extension %s is not a valid name: write OWNER/NAME, such as siderolabs/iscsi-tools", quote.Value(text))
	case strings.HasPrefix(name, officialOwner+"sbc-"):
		return "", fmt.Errorf("extension %s is the overlay of a board: give it as the overlay, such as --overlay %s", quote.Value(text), overlayExample(name))
	}

	return name, nil
}

func checkKernelArgument(argument string) error {
	switch {
	case secret.Looks(argument):
		return errors.New("a kernel argument looks like a key: every process of the node could read it, leave it out")
	case argument == "", strings.ContainsFunc(argument, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
		return fmt.Errorf("kernel argument %s is empty or has a blank: give each argument on its own", quote.Value(argument))
	}

	return nil
}

func marshal(made schematic.Schematic) (Schematic, error) {
	text, err := made.Marshal()
	if err != nil {
		return Schematic{}, fmt.Errorf("schematic: %w", err)
	}

	id, err := made.ID()
	if err != nil {
		return Schematic{}, fmt.Errorf("schematic: %w", err)
	}

	return Schematic{text: text, id: id, options: made}, nil
}

// Bytes returns the schematic as YAML, the bytes whose hash is the ID.
func (s Schematic) Bytes() []byte { return slices.Clone(s.text) }

// ID returns the ID that Image Factory gives to the schematic once it was sent there.
func (s Schematic) ID() string { return s.id }

// EmbedsConfig reports whether the schematic holds a machine config, and so can hold the secrets of a cluster.
func (s Schematic) EmbedsConfig() bool {
	return s.options.Customization.EmbeddedMachineConfiguration != ""
}
