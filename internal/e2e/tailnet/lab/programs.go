package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// headscaleVersion is the control server's; Tailscale's version is in go.mod.
// It is not the newest, because Headscale 0.29 takes the tags from the auth key
// and refuses a node that asks for tags itself, which Tailscale does not.
const headscaleVersion = "v0.27.0"

// suite is the folder of this module as each suite sees it from its own folder. Its go.mod has Tailscale's version.
const suite = "../tailnet"

// Binaries are the programs of the lab.
type Binaries struct {
	Extension string // folder with containerboot, tailscaled and tailscale, and nothing else
	Headscale string
	Bridge    string // our own
}

// buildPrograms builds what the cache folder does not have yet, and our own
// binary each time.
func buildPrograms() (Binaries, error) {
	cache, err := CacheFolder()
	if err != nil {
		return Binaries{}, err
	}

	tailscaleVersion, err := GoCommand(suite, "list", "-m", "-f", "{{.Version}}", "tailscale.com")
	if err != nil {
		return Binaries{}, err
	}

	extension, err := Cached(cache, "tailscale-"+tailscaleVersion, func(folder string) error {
		_, err := GoCommand(suite, "build", "-trimpath", "-o", folder+"/",
			"tailscale.com/cmd/containerboot", "tailscale.com/cmd/tailscaled", "tailscale.com/cmd/tailscale")

		return err
	})
	if err != nil {
		return Binaries{}, err
	}

	headscale, err := Cached(cache, "headscale-"+headscaleVersion, buildHeadscale)
	if err != nil {
		return Binaries{}, err
	}

	bridge, err := buildBridge(cache)
	if err != nil {
		return Binaries{}, err
	}

	return Binaries{
		Extension: extension,
		Headscale: filepath.Join(headscale, "headscale"),
		Bridge:    bridge,
	}, nil
}

func CacheFolder() (string, error) {
	if folder := os.Getenv("E2E_CACHE"); folder != "" {
		return filepath.Abs(folder)
	}

	folder, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder, set E2E_CACHE: %w", err)
	}

	return filepath.Join(folder, "talos-tsbridge-e2e"), nil
}

// Cached gives the folder that build filled, now or in an earlier run. A build
// that was cut off leaves nothing that a later run would take for whole.
func Cached(cache, name string, build func(folder string) error) (string, error) {
	folder := filepath.Join(cache, name+"-"+runtime.GOOS+"-"+runtime.GOARCH)

	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}

	fmt.Println("building", name)

	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}

	unfinished, err := os.MkdirTemp(cache, "unfinished-")
	if err != nil {
		return "", err
	}

	defer os.RemoveAll(unfinished)

	if err := build(unfinished); err != nil {
		return "", err
	}

	// The nodes' filesystems show the folder to whoever may read it.
	if err := os.Chmod(unfinished, 0o755); err != nil {
		return "", err
	}

	return folder, os.Rename(unfinished, folder)
}

// buildHeadscale builds a copy of the module as the main module, because its
// dependencies are older than ours and must stay what its authors tested.
func buildHeadscale(folder string) error {
	const module = "github.com/juanfont/headscale@" + headscaleVersion

	described, err := GoCommand(suite, "mod", "download", "-json", module)
	if err != nil {
		return err
	}

	var download struct{ Dir string }

	if err := json.Unmarshal([]byte(described), &download); err != nil {
		return err
	}

	source, err := os.MkdirTemp("", "headscale-")
	if err != nil {
		return err
	}

	defer os.RemoveAll(source)

	if err := os.CopyFS(source, os.DirFS(download.Dir)); err != nil {
		return err
	}

	_, err = GoCommand(source, "build", "-trimpath", "-o", folder+"/", "./cmd/headscale")

	return err
}

// GoCommand runs the go tool on the module in the folder alone, without a
// workspace. Without cgo, what it builds runs in any root filesystem.
func GoCommand(folder string, args ...string) (string, error) {
	return GoCommandIn(folder, append(os.Environ(), "GOWORK=off", "GOFLAGS=", "CGO_ENABLED=0"), args...)
}

func GoCommandIn(folder string, environment []string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer

	command := exec.Command("go", args...)
	command.Dir = folder
	command.Env = environment
	command.Stdout = &stdout
	command.Stderr = &stderr

	if err := command.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}

	return strings.TrimSpace(stdout.String()), nil
}
