package patch

import (
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/siderolabs/go-pointer"
	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/imagefactory"
	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// isImageReference reports whether a text names a registry, a repository, and which of its images: a tag, a digest, or both.
func isImageReference(text string) bool {
	_, err := name.ParseReference(text, name.StrictValidation)

	return err == nil && !strings.Contains(text, "://") // https: is the name of a registry to it
}

// WithInstallImage sets the image that Talos is installed from, with a tag or digest, which has to hold the tailscale
// system extension. Default: that of the config.
//
// From contract v1.14 on it is not in the patch, and a note says what to give to talosctl gen config instead: a patch of
// the UnattendedInstallConfig document that names only the image erases the disk that it is installed to.
func WithInstallImage(image string) Option {
	return func(o *options) { o.InstallImage = &image }
}

// installImage is the reference of the image that Talos is installed from.
type installImage string

var _ feature = installImage("")

func newInstallImage(d *draft) feature {
	const option = "install-image"

	image := pointer.SafeDeref(d.InstallImage)
	template, isTemplate := d.placeholder(&d.faults, option, image)

	switch {
	case image == "":
		return nil
	case isTemplate:
		image = template
	case secret.Looks(image):
		d.faults.add(CodeSecret, option, "`install-image` looks like a key: write the image that talos-tsbridge schematic --image prints")

		return nil
	case !isImageReference(image):
		d.faults.add(CodeInvalid, option, "`install-image` %s is not REGISTRY/NAME:TAG: write the image that talos-tsbridge schematic --image prints",
			quote.Value(image))

		return nil
	}

	if imagefactory.IsStock(image) {
		d.notes.add(NoteStockImage, "`install-image`: this image holds no system extension, so the node does not join: use the one that "+
			"talos-tsbridge schematic --image prints")
	}

	if d.target == nil && contract.UnattendedInstallConfig(d.contract) {
		d.notes.add(NoteInstallImage, "`install-image` is not in the patch, because on contract v1.14 it would erase the choice of the disk: run talosctl "+
			"gen config with --install-image %s", image)

		return nil
	}

	return installImage(image)
}

func (i installImage) documents(*coreconfig.VersionContract, bool) []config.Document {
	return machineFragment(&v1alpha1.MachineConfig{MachineInstall: &v1alpha1.InstallConfig{InstallImage: string(i)}})
}

// deletions are none: an image replaces an earlier one anyway.
func (installImage) deletions() []string { return nil }

func (installImage) owned() []machineconfig.Field {
	return []machineconfig.Field{
		documentField(runtime.UnattendedInstallConfigKind, "installer", "image"),
		legacyField("machine", "install", "image"),
	}
}

// apply sets the image where the config has one. In place, the choice of the disk beside it stays.
func (i installImage) apply(m *merging) error {
	legacy, _ := m.legacy()

	switch d := m.find(runtime.UnattendedInstallConfigKind, ""); {
	case d != nil:
		m.edit.Set(d, string(i), "installer", "image")
	case contract.UnattendedInstallConfig(m.contract) && legacy.Get("machine", "install") == nil:
		return contractFault("it has no document UnattendedInstallConfig, where the image goes: leave the image out, and give it to talosctl upgrade --image")
	default:
		m.edit.Set(legacy, string(i), "machine", "install", "image")
	}

	return nil
}
