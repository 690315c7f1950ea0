package imagefactory

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/siderolabs/talos/pkg/machinery/imager/quirks"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/lazyregexp"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

const (
	// DefaultHost is where the public Image Factory is, and its registry.
	DefaultHost = "factory.talos.dev"
	// DefaultPlatform is the platform of machines that belong to no cloud.
	DefaultPlatform = "metal"
)

var (
	platformName = lazyregexp.New(`^[a-z][a-z0-9-]*$`)
	talosOwn     = lazyregexp.New(`(?:^|/)siderolabs/installer(?:-base)?(?::|@|$)`)
	empty        = lazyregexp.New(`/` + EmptyID + `(?::|@|$)`)
	wholeVersion = lazyregexp.New(`^v?(\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?)$`)
)

// IsStock reports whether an image is known to hold no system extension: Talos's own installer, from whichever registry, or what
// Image Factory makes of the empty schematic.
func IsStock(image string) bool { return talosOwn().MatchString(image) || empty().MatchString(image) }

// Factory is an Image Factory, or a mirror of its registry.
type Factory struct {
	scheme, host string
}

// ParseFactory reads HOST[:PORT][/PATH], with or without https:// or http:// before it. A path is for a registry that
// mirrors Image Factory's below one.
func ParseFactory(text string) (Factory, error) {
	factory := Factory{scheme: "https"}
	fault := fmt.Errorf("factory %s is not valid: write HOST, such as factory.example.com", quote.Value(text))

	rest := strings.TrimSpace(text)
	if scheme, after, found := strings.Cut(rest, "://"); found {
		factory.scheme, rest = strings.ToLower(scheme), after
	}

	parsed, err := url.Parse("https://" + rest)
	if err != nil || secret.Looks(text) || factory.scheme != "https" && factory.scheme != "http" ||
		parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" {
		return Factory{}, fault
	}

	factory.host = strings.TrimSuffix(rest, "/")

	// strictly, a registry has a dot or a port: any other would be taken for a repository of Docker Hub
	if _, err := name.NewTag(factory.host+"/metal-installer:v1", name.StrictValidation, name.WithDefaultRegistry("")); err != nil {
		return Factory{}, fault
	}

	return factory, nil
}

// SchematicsURL returns where schematics are sent to.
func (f Factory) SchematicsURL() string { return f.scheme + "://" + f.host + "/schematics" }

// Installer is an image that installs Talos, or upgrades to it.
type Installer struct {
	// Factory is where the image comes from.
	Factory Factory
	// Version is an exact release of Talos, such as v1.14.1.
	Version string
	// Platform is one that Image Factory names, such as [DefaultPlatform].
	Platform string
	// SecureBoot asks for the image that is signed for it.
	SecureBoot bool
}

// Image returns the reference of the installer of a schematic. Before Talos 1.10 there was one for all platforms. Its error
// joins all faults.
func (i Installer) Image(s Schematic) (string, error) {
	var faults []error

	match := wholeVersion().FindStringSubmatch(strings.TrimSpace(i.Version))

	if match == nil {
		faults = append(faults, fmt.Errorf("talos version %s has no patch level, and an installer image is built for an exact release: write one such as v1.14.1", quote.Value(i.Version)))
	} else if _, err := contract.Parse(i.Version); err != nil {
		faults = append(faults, err)
	}

	if secret.Looks(i.Platform) || !platformName().MatchString(i.Platform) {
		faults = append(faults, fmt.Errorf("platform %s is not valid: write one such as %s or nocloud", quote.Value(i.Platform), DefaultPlatform))
	}

	if len(faults) > 0 {
		return "", errors.Join(faults...)
	}

	tag := "v" + match[1]

	image := "installer"
	if quirks.New(tag).SupportsUnifiedInstaller() {
		image = i.Platform + "-" + image
	}

	if i.SecureBoot {
		image += "-secureboot"
	}

	return i.Factory.host + "/" + image + "/" + s.id + ":" + tag, nil
}
