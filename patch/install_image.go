package patch

import (
	"strings"

	"github.com/siderolabs/go-pointer"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/lazyregexp"
	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// imageReference is the reference of a container image that says which one it is: by its tag, its digest, or both.
var imageReference = lazyregexp.New(`^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+(:[A-Za-z0-9_][A-Za-z0-9_.-]*(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})$`)

// stockImages are parts of the references of images that hold no system extension: Talos's own installer, and what Image
// Factory makes of the empty schematic.
var stockImages = []string{"/siderolabs/installer", "/376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba"}

func (p *Patch) setInstallImage(o *options, faults *Faults) {
	const option = "install-image"

	image := pointer.SafeDeref(o.InstallImage)
	template, isTemplate := o.placeholder(faults, option, image)

	switch {
	case image == "":
		return
	case isTemplate:
		image = template
	case secret.Looks(image):
		faults.add(CodeSecret, option, "`install-image` looks like a key: write the image that talos-tsbridge schematic --image prints")

		return
	case !imageReference().MatchString(image):
		faults.add(CodeInvalid, option, "`install-image` %s is not REGISTRY/NAME:TAG: write the image that talos-tsbridge schematic --image prints",
			quote.Value(image))

		return
	}

	for _, stock := range stockImages {
		if strings.Contains(image, stock+":") || strings.Contains(image, stock+"@") {
			p.notes.add(NoteStockImage, "`install-image`: this image holds no system extension, so the node does not join: use the one that "+
				"talos-tsbridge schematic --image prints")
		}
	}

	if o.target == nil && contract.UnattendedInstallConfig(p.contract) {
		p.notes.add(NoteInstallImage, "`install-image` is not in the patch, because on contract v1.14 it would erase the choice of the disk: run talosctl "+
			"gen config with --install-image %s", image)

		return
	}

	p.node.installImage = image
}

func installImageFragment(image string) *v1alpha1.MachineConfig {
	if image == "" {
		return nil
	}

	return &v1alpha1.MachineConfig{MachineInstall: &v1alpha1.InstallConfig{InstallImage: image}}
}

// applyInstallImage sets the image where the config has one. In place, the choice of the disk beside it stays.
func (p *Patch) applyInstallImage(m *merging) error {
	if p.node.installImage == "" {
		return nil
	}

	if d := m.find(runtime.UnattendedInstallConfigKind, ""); d != nil {
		m.edit.Set(d, p.node.installImage, "installer", "image")

		return nil
	}

	if contract.UnattendedInstallConfig(p.contract) && m.find(machineconfig.Legacy, "").Get("machine", "install") == nil {
		return contractFault("it has no document UnattendedInstallConfig, where the image goes: leave the image out, and give it to talosctl upgrade --image")
	}

	return m.setLegacy(p.node.installImage, "machine", "install", "image")
}
