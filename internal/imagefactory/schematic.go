// Package imagefactory says what Talos Image Factory would: the schematic of an image with system extensions, its ID, and the
// installer image, all without a request.
package imagefactory

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/siderolabs/image-factory/pkg/schematic"
	"github.com/siderolabs/talos/pkg/machinery/imager/quirks"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

const (
	// TailscaleExtension is the system extension that the patch configures.
	TailscaleExtension = "siderolabs/tailscale"
	// Host is where Image Factory is, and its registry.
	Host = "factory.talos.dev"
	// DefaultPlatform is the platform of machines that are no cloud's.
	DefaultPlatform = "metal"

	officialOwner = "siderolabs/"
)

var (
	extensionName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9._-]*$`)
	platformName  = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	wholeVersion  = regexp.MustCompile(`^v?(\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?)$`)
)

// Schematic is an image with system extensions, one of which is tailscale.
type Schematic struct {
	text []byte
	id   string
}

// New makes the schematic of the tailscale extension, further extensions and kernel arguments. Extensions are written as
// Image Factory names them; "siderolabs/" is added where there is no owner. Like Image Factory's own page, it sorts the
// extensions, because their order changes the ID; the order of kernel arguments is kept, because they have one.
//
// Its error joins all faults.
func New(extensions, kernelArgs []string) (Schematic, error) {
	names := []string{TailscaleExtension}

	var faults []error

	for _, text := range extensions {
		name := strings.TrimSpace(text)
		if name != "" && !strings.Contains(name, "/") {
			name = officialOwner + name
		}

		switch {
		case quote.LooksSecret(name), !extensionName.MatchString(name):
			faults = append(faults, fmt.Errorf("extension %s is not the name of one: write one such as siderolabs/iscsi-tools", quote.Value(text)))
		case !slices.Contains(names, name):
			names = append(names, name)
		}
	}

	for _, argument := range kernelArgs {
		switch {
		case quote.LooksSecret(argument):
			faults = append(faults, errors.New("a kernel argument looks like a key: every process of the node could read it, leave it out"))
		case argument == "", strings.ContainsFunc(argument, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
			faults = append(faults, fmt.Errorf("kernel argument %s is empty or has a blank: give each argument on its own", quote.Value(argument)))
		}
	}

	if len(faults) > 0 {
		return Schematic{}, errors.Join(faults...)
	}

	slices.Sort(names)

	return marshal(names, kernelArgs)
}

// marshal makes the schematic of extensions as they stand.
func marshal(extensions, kernelArgs []string) (Schematic, error) {
	made := schematic.Schematic{Customization: schematic.Customization{
		ExtraKernelArgs:  kernelArgs,
		SystemExtensions: schematic.SystemExtensions{OfficialExtensions: extensions},
	}}

	text, err := made.Marshal()
	if err != nil {
		return Schematic{}, fmt.Errorf("schematic: %w", err)
	}

	id, err := made.ID()
	if err != nil {
		return Schematic{}, fmt.Errorf("schematic: %w", err)
	}

	return Schematic{text: text, id: id}, nil
}

// Bytes returns the schematic as YAML, the bytes whose hash is the ID.
func (s Schematic) Bytes() []byte { return slices.Clone(s.text) }

// ID returns the ID that Image Factory gives to the schematic once it was sent there.
func (s Schematic) ID() string { return s.id }

// InstallerImage returns the reference of the image that installs or upgrades to the schematic: for a whole version of
// Talos, such as v1.14.1, and a platform, such as [DefaultPlatform]. Before Talos 1.10 there was one image for all
// platforms. Its error joins all faults.
func (s Schematic) InstallerImage(version, platform string, secureBoot bool) (string, error) {
	var faults []error

	match := wholeVersion.FindStringSubmatch(strings.TrimSpace(version))

	if match == nil {
		faults = append(faults, fmt.Errorf("talos version %s is not a whole one, and an image is of one: write one such as v1.14.1", quote.Value(version)))
	} else if _, err := contract.Parse(version); err != nil {
		faults = append(faults, err)
	}

	if quote.LooksSecret(platform) || !platformName.MatchString(platform) {
		faults = append(faults, fmt.Errorf("platform %s is not the name of one: write one such as %s or nocloud", quote.Value(platform), DefaultPlatform))
	}

	if len(faults) > 0 {
		return "", errors.Join(faults...)
	}

	tag := "v" + match[1]

	name := "installer"
	if quirks.New(tag).SupportsUnifiedInstaller() {
		name = platform + "-" + name
	}

	if secureBoot {
		name += "-secureboot"
	}

	return Host + "/" + name + "/" + s.id + ":" + tag, nil
}
