package nodes

import (
	"cmp"
	"errors"
	"io"
	"strings"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/imager/quirks"
	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/internal/imagefactory"
	"github.com/talos-tsbridge/talos-tsbridge/internal/lazyregexp"
	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

// tailscaleSchematic is the ID of the schematic with the extension alone.
const tailscaleSchematic = "4a0d65c669d46663f377e7161e50cfd570c401f26fd9e7bda34a0216b6f1922b"

// activeConfig is the machine config in force. It holds secrets; no more is kept of it than the image.
var activeConfig = resource.NewMetadata("config", "MachineConfigs.config.talos.dev", "v1alpha1", resource.VersionUndefined)

// image reads which image the config installs.
func (q *questions) image() error {
	answer, err := q.client.COSI.Get(q.ctx, activeConfig, state.WithGetUnmarshalOptions(state.WithSkipProtobufUnmarshal()))
	if err != nil {
		return err
	}

	var text string
	if err := talosapi.ReadSpec(answer, &text); err != nil {
		return errors.New("it is not the text of a config") // the parser's error may repeat some of it
	}

	image, err := installedImage(text)
	if err != nil {
		return err
	}

	return q.set(func(n *Node) { n.InstallImage = image })
}

// installedImage returns the image that a config installs, empty where it names none.
func installedImage(config string) (string, error) {
	decoder := yaml.NewDecoder(strings.NewReader(config))
	image := ""

	for {
		var document struct {
			Kind    string `yaml:"kind"`
			Machine struct {
				Install struct {
					Image string `yaml:"image"`
				} `yaml:"install"`
			} `yaml:"machine"`
			Installer struct {
				Image string `yaml:"image"`
			} `yaml:"installer"`
		}

		err := decoder.Decode(&document)

		switch {
		case errors.Is(err, io.EOF):
			return image, nil
		case err != nil:
			return "", errors.New("the machine config cannot be read") // see above
		case document.Kind == "" && document.Machine.Install.Image != "":
			image = document.Machine.Install.Image
		case document.Kind == "UnattendedInstallConfig" && document.Installer.Image != "":
			image = document.Installer.Image
		}
	}
}

// version reads the release of Talos.
func (q *questions) version() error {
	release, err := q.api.Release(q.ctx)
	if err != nil {
		return err
	}

	return q.set(func(n *Node) { n.TalosVersion, n.Platform = release.Version, release.Platform })
}

var factoryImage = lazyregexp.New(`^(.+)/((?:[a-z0-9-]+-)?installer(?:-secureboot)?)/([0-9a-f]{64})(?::|@|$)`)

// upgrade tells whether the next upgrade to what the config says would lose the extension.
func (d *diagnosis) upgrade() {
	if d.Extension == "" || d.InstallImage == "" {
		return
	}

	const code = CodeImageLosesExtension

	matched := factoryImage().FindStringSubmatch(d.InstallImage)

	switch {
	case matched == nil && imagefactory.IsStock(d.InstallImage):
		d.add(verify.SeverityWarning, code, "the config installs "+d.InstallImage+", Talos's own image without any extension: an upgrade or a new install with it loses tailscale",
			d.rightImage("factory.talos.dev", "")...)
	case matched == nil: // of a registry that says nothing about what is in it
	case matched[3] == imagefactory.EmptyID:
		d.add(verify.SeverityWarning, code, "the config installs "+d.InstallImage+", whose schematic is the empty one: an upgrade or a new install with it loses tailscale",
			d.rightImage(matched[1], matched[2])...)
	case matched[3] == d.Schematic, matched[3] == tailscaleSchematic:
	case d.Schematic == "":
		d.add(verify.SeverityWarning, CodeSchematicUnknown, "the node does not say of which schematic its image is, and the config installs the schematic "+matched[3]+
			": whether that one has the extension is not known here",
			"see what is in it: curl https://"+matched[1]+"/schematics/"+matched[3])
	default:
		d.add(verify.SeverityWarning, CodeSchematicUnknown, "the node runs the schematic "+d.Schematic+", which has the extension, and the config installs another one, "+matched[3]+
			": whether that one has it is not known here",
			append([]string{"see what is in it: curl https://" + matched[1] + "/schematics/" + matched[3]}, d.rightImage(matched[1], matched[2])...)...)
	}
}

// rightImage says how to keep the schematic that the node runs.
func (d *diagnosis) rightImage(registry, installer string) []string {
	if d.Schematic == "" || d.Schematic == imagefactory.EmptyID {
		return []string{
			"name the image of a schematic with siderolabs/tailscale: talos-tsbridge schematic --image --talos-version " + printable.Word(cmp.Or(d.TalosVersion, "VERSION")),
			"upgrade with it, and with no other: talosctl upgrade --nodes " + printable.Word(d.Address) + " --image IMAGE",
		}
	}

	if installer == "" {
		installer = "installer"
		if platform := d.Platform; platform != "" && platform != "container" && quirks.New(d.TalosVersion).SupportsUnifiedInstaller() {
			installer = platform + "-installer"
		}
	}

	image := registry + "/" + installer + "/" + d.Schematic + ":" + cmp.Or(d.TalosVersion, "VERSION")

	return []string{
		"put the image of the schematic that the node runs into the config: talos-tsbridge apply --install-image " + printable.Word(image),
		"until then, upgrade with it, and with no other: talosctl upgrade --nodes " + printable.Word(d.Address) + " --image " + printable.Word(image),
	}
}
