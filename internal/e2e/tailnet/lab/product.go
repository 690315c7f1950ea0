package lab

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.yaml.in/yaml/v3"
)

// ExtensionServiceConfig is the document that configures the extension.
type ExtensionServiceConfig struct {
	Kind        string       `yaml:"kind"`
	Name        string       `yaml:"name"`
	ConfigFiles []ConfigFile `yaml:"configFiles"`
	Environment []string     `yaml:"environment"`
}

type ConfigFile struct {
	Content   string `yaml:"content"`
	MountPath string `yaml:"mountPath"`
}

// buildBridge builds our own binary from this checkout, as its users do: with
// the workspace file at the root.
func buildBridge(folder string) (string, error) {
	binary := filepath.Join(folder, "talos-tsbridge")

	_, err := GoCommandIn("../../..", append(os.Environ(), "GOWORK="), "build", "-o", binary, "./cmd/talos-tsbridge")

	return binary, err
}

// PrintPatch has our binary print a patch with the key and gives its document
// for the extension.
func PrintPatch(t testing.TB, key string, flags ...string) ExtensionServiceConfig {
	t.Helper()

	var stderr bytes.Buffer

	command := Bridge(key, flags...)
	command.Stderr = &stderr

	patch, err := command.Output()
	if err != nil {
		t.Fatalf("talos-tsbridge %v: %v\n%s", flags, err, &stderr)
	}

	return ExtensionDocument(t, patch)
}

// Bridge is our binary with the key in its environment, and nothing else there
// that it might read.
func Bridge(key string, flags ...string) *exec.Cmd {
	command := exec.Command(Programs.Bridge, flags...)
	command.Env = []string{"TS_AUTHKEY=" + key}

	return command
}

func ExtensionDocument(t testing.TB, patch []byte) ExtensionServiceConfig {
	t.Helper()

	documents := yaml.NewDecoder(bytes.NewReader(patch))

	for {
		var document ExtensionServiceConfig

		switch err := documents.Decode(&document); {
		case errors.Is(err, io.EOF):
			t.Fatal("the patch has no ExtensionServiceConfig for tailscale")
		case err != nil:
			t.Fatal(err)
		case document.Kind == "ExtensionServiceConfig" && document.Name == "tailscale":
			return document
		}
	}
}
