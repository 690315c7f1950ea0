package node

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

// talosVersion is the node's; testdata/talos.mod has it, too.
const talosVersion = "v1.14.1"

// talos is what is built from Talos's source, a folder with:
//
//	machined   as a node runs it, but for one line: followDocument
//	released   machined without that change
//	talosctl
//	hack/      the configuration of containerd and of other programs, from Talos's source
//
// Every program of Talos that a node runs is machined under another name.
var talos string

var (
	//go:embed testdata/talos.mod
	talosModule []byte
	//go:embed testdata/rtnetlink.go.txt
	rtnetlinkStandIn []byte
	//go:embed testdata/ethtool.go.txt
	ethtoolStandIn []byte
)

// followDocument makes extension services follow their ExtensionServiceConfig in container mode as they do on metal.
// As released, the controller returns at once in container mode: no status, no config files, and no restart when the
// document changes.
var followDocument = struct{ file, from, to string }{
	file: "internal/app/machined/pkg/controllers/runtime/extension_service_config_files.go",
	from: "if ctrl.V1Alpha1Mode == v1alpha1runtime.ModeContainer {",
	to:   "if false {",
}

func buildTalos(cache string) (err error) {
	talos, err = lab.Cached(cache, "talos-"+talosVersion, func(folder string) error {
		// Go's build cache knows sources by their folder, so it is the same each time.
		source := filepath.Join(cache, "talos-source")
		if err := os.RemoveAll(source); err != nil {
			return err
		}

		defer os.RemoveAll(source)

		return buildTalosFrom(source, folder)
	})

	return err
}

func buildTalosFrom(source, folder string) error {
	released, err := module("github.com/siderolabs/talos@" + talosVersion)
	if err != nil {
		return err
	}

	// The checksum database does not answer for all of Talos's forks; its own go.sum does.
	sums, err := os.ReadFile(filepath.Join(released, "go.sum"))
	if err != nil {
		return err
	}

	if err := os.MkdirAll(source, 0o755); err != nil {
		return err
	}

	for name, content := range map[string][]byte{"go.mod": talosModule, "go.sum": sums} {
		if err := os.WriteFile(filepath.Join(source, name), content, 0o644); err != nil {
			return err
		}
	}

	if err := standIns(source); err != nil {
		return err
	}

	const machined = "github.com/siderolabs/talos/internal/app/machined"

	nodeTags := "-tags=tcell_minimal,grpcnotrace"

	if err := build(source, nodeTags, filepath.Join(folder, "released"), machined); err != nil {
		return err
	}

	if err := build(source, "-tags=grpcnotrace", filepath.Join(folder, "talosctl"), "github.com/siderolabs/talos/cmd/talosctl"); err != nil {
		return err
	}

	if err := os.CopyFS(filepath.Join(folder, "hack"), os.DirFS(filepath.Join(released, "hack"))); err != nil {
		return err
	}

	if err := os.CopyFS(filepath.Join(source, "talos"), os.DirFS(released)); err != nil {
		return err
	}

	if err := replaceOnce(filepath.Join(source, "talos", followDocument.file), followDocument.from, followDocument.to); err != nil {
		return err
	}

	if _, err := lab.GoCommand(source, "mod", "edit", "-replace=github.com/siderolabs/talos=./talos"); err != nil {
		return err
	}

	return build(source, nodeTags, filepath.Join(folder, "machined"), machined)
}

func build(source, tags, output, program string) error {
	fmt.Println("building", filepath.Base(output))

	_, err := lab.GoCommand(source, "build", "-mod=mod", "-buildvcs=false", tags, "-ldflags=-s -w", "-o", output, program)

	return err
}

// standIns makes the two modules that the module proxy does not have in the version that Talos asks for: an older
// version, and the few types that Talos uses of the newer one.
func standIns(source string) error {
	rtnetlink := filepath.Join(source, "rtnetlink")

	if err := downloadTo(rtnetlink, "github.com/jsimonetti/rtnetlink/v2@v2.2.1-0.20260614152944-ab8601692836"); err != nil {
		return err
	}

	for _, name := range []string{"RouteAttributes", "NextHop"} {
		declaration := "type " + name + " struct {"

		if err := replaceOnce(filepath.Join(rtnetlink, "route.go"), declaration, declaration+"\n\tVia *RouteVia"); err != nil {
			return err
		}
	}

	if err := os.WriteFile(filepath.Join(rtnetlink, "via.go"), rtnetlinkStandIn, 0o644); err != nil {
		return err
	}

	ethtool := filepath.Join(source, "ethtool")

	if err := downloadTo(ethtool, "github.com/mdlayher/ethtool@v0.6.1"); err != nil {
		return err
	}

	if err := os.WriteFile(filepath.Join(ethtool, "cards.go"), ethtoolStandIn, 0o644); err != nil {
		return err
	}

	_, err := lab.GoCommand(ethtool, "mod", "edit", "-require=github.com/siderolabs/gen@v0.8.8")

	return err
}

// module downloads a module and gives its folder.
func module(pathAtVersion string) (string, error) {
	// Outside of any module, so that nobody's replacements or sums apply.
	elsewhere, err := os.MkdirTemp("", "module-")
	if err != nil {
		return "", err
	}

	defer os.RemoveAll(elsewhere)

	described, err := lab.GoCommand(elsewhere, "mod", "download", "-json", pathAtVersion)
	if err != nil {
		return "", err
	}

	var download struct{ Dir string }

	err = json.Unmarshal([]byte(described), &download)

	return download.Dir, err
}

func downloadTo(folder, pathAtVersion string) error {
	downloaded, err := module(pathAtVersion)
	if err != nil {
		return err
	}

	return os.CopyFS(folder, os.DirFS(downloaded))
}

func replaceOnce(path, from, to string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}

	if found := strings.Count(string(text), from); found != 1 {
		return fmt.Errorf("%s has %q %d times, not once", path, from, found)
	}

	return os.WriteFile(path, []byte(strings.Replace(string(text), from, to, 1)), 0o644)
}
