package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

// schematic is the one with nothing but the tailscale extension.
const schematic = "4a0d65c669d46663f377e7161e50cfd570c401f26fd9e7bda34a0216b6f1922b"

// cluster is a tailnet with a LAN on which Talos nodes of one cluster run, and a folder with what talosctl needs for it.
type cluster struct {
	*lab.Tailnet

	folder      string
	talosconfig string
	endpoint    *node // the control plane
}

func newCluster(t testing.TB) *cluster {
	t.Helper()

	folder, err := os.MkdirTemp("", "talos-cluster-")
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = os.RemoveAll(folder) })

	c := &cluster{Tailnet: lab.NewTailnet(t), folder: folder, talosconfig: filepath.Join(folder, "talosconfig")}
	c.endpoint = plugNode(t, c.LAN, "lab-cp-1")

	c.talosctlHere(t, nil, "gen", "secrets", "--output-file", c.path("secrets.yaml"))
	c.talosctlHere(t, nil, c.genConfig("talosconfig", c.talosconfig)...)
	c.talosctlHere(t, nil, "config", "endpoint", c.endpoint.LANAddress)
	c.talosctlHere(t, nil, "config", "node", c.endpoint.LANAddress)

	return c
}

func (c *cluster) path(name string) string { return filepath.Join(c.folder, name) }

// patch is what our binary prints, with what every patch of the lab needs.
func (c *cluster) patch(t testing.TB, key string, flags ...string) []byte {
	t.Helper()

	has := func(name string) bool {
		return slices.ContainsFunc(flags, func(flag string) bool { return strings.HasPrefix(flag, name) })
	}

	if !has("--login-server=") {
		flags = append(flags, "--login-server="+c.Control.URL)
	}

	if !has("--no-node-ip") {
		flags = append(flags, "--node-ip-subnet="+lab.LANPrefix)
	}

	flags = append(flags, "--quiet")

	command := lab.Bridge(key, flags...)
	command.Stderr = new(bytes.Buffer)

	patch, err := command.Output()
	if err != nil {
		t.Fatalf("talos-tsbridge %v: %v\n%s", flags, err, command.Stderr)
	}

	return patch
}

func (c *cluster) genConfig(outputType, output string, flags ...string) []string {
	return slices.Concat([]string{
		"gen", "config", "lab", "https://" + c.endpoint.LANAddress + ":6443", "--with-secrets", c.path("secrets.yaml"),
		"--install-image", "factory.talos.dev/metal-installer/" + schematic + ":" + talosVersion,
		"--with-cluster-discovery=false", "--with-docs=false", "--with-examples=false", "--additional-sans", c.endpoint.LANAddress,
		"--output-types", outputType, "--output", output, "--force",
	}, flags)
}

// config has talosctl generate a config with a patch.
func (c *cluster) config(t testing.TB, role string, patch []byte) []byte {
	t.Helper()

	file := filepath.Join(t.TempDir(), role+".yaml")
	lab.WriteFile(t, file+".patch", string(patch))
	c.talosctlHere(t, nil, c.genConfig(role, file, "--config-patch", "@"+file+".patch")...)

	config, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	return config
}

// controlPlane starts the control plane and waits until its API answers and it has joined.
func (c *cluster) controlPlane(t testing.TB, key string, flags ...string) *node {
	t.Helper()

	c.endpoint.on(t, c.config(t, "controlplane", c.patch(t, key, slices.Concat([]string{"--role=controlplane", "--hostname=lab-cp-1"}, flags)...)))
	c.answers(t, c.endpoint)
	c.endpoint.joined(t)

	return c.endpoint
}

// worker starts a worker and waits as controlPlane does, which must be there before.
func (c *cluster) worker(t testing.TB, hostname, key string, flags ...string) *node {
	t.Helper()

	n := plugNode(t, c.LAN, hostname)
	n.on(t, c.config(t, "worker", c.patch(t, key, slices.Concat([]string{"--role=worker", "--hostname=" + hostname}, flags)...)))
	c.answers(t, n)
	n.joined(t)

	return n
}

func (c *cluster) answers(t testing.TB, n *node) {
	t.Helper()

	lab.Eventually(t, lab.JoinWithin, "the Talos API answers", func() error {
		if n.ended() {
			t.Fatal("machined ended")
		}

		_, err := c.talosctl("--nodes", n.LANAddress, "version")

		return err
	})
}

// talosctl runs the real talosctl on the LAN.
func (c *cluster) talosctl(args ...string) ([]byte, error) {
	return output(c.LAN.Command(c.talosctlCommand(args...)...))
}

func (c *cluster) talosctlCommand(args ...string) []string {
	return slices.Concat([]string{filepath.Join(talos, "talosctl"), "--talosconfig", c.talosconfig}, args)
}

// talosctlHere runs talosctl where it needs no node.
func (c *cluster) talosctlHere(t testing.TB, stdin io.Reader, args ...string) []byte {
	t.Helper()

	command := exec.Command(filepath.Join(talos, "talosctl"), args...)
	command.Env = append(os.Environ(), "TALOSCONFIG="+c.talosconfig)
	command.Stdin = stdin

	printed, err := output(command)
	if err != nil {
		t.Fatal(err)
	}

	return printed
}

// apply sends a config to a node.
func (c *cluster) apply(t testing.TB, n *node, config []byte, flags ...string) {
	t.Helper()

	file := filepath.Join(t.TempDir(), "config.yaml")
	lab.WriteFile(t, file, string(config))

	if _, err := c.talosctl(slices.Concat([]string{"--nodes", n.LANAddress, "apply-config", "--mode=no-reboot", "--file", file}, flags)...); err != nil {
		t.Fatal(err)
	}
}

// bridge runs our binary on the LAN, with the talosconfig, and gives its exit code, too.
func (c *cluster) bridge(t testing.TB, environment []string, args ...string) (stdout, stderr []byte, code int) {
	t.Helper()

	command := c.bridgeCommand(environment, args...)

	var says bytes.Buffer

	command.Stderr = &says

	stdout, err := command.Output()

	if exit, is := errors.AsType[*exec.ExitError](err); is {
		return stdout, says.Bytes(), exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}

	return stdout, says.Bytes(), 0
}

func (c *cluster) bridgeCommand(environment []string, args ...string) *exec.Cmd {
	command := c.LAN.Command(slices.Concat([]string{lab.Programs.Bridge}, args)...)
	command.Env = slices.Concat([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.folder, "TALOSCONFIG=" + c.talosconfig}, environment)

	return command
}

// spec is what a node says about a resource of a kind, or about the one with an ID.
func spec[T any](c *cluster, n *node, kind string, id ...string) ([]T, error) {
	printed, err := c.talosctl(slices.Concat([]string{"--nodes", n.LANAddress, "get", kind}, id, []string{"--output", "json"})...)
	if err != nil {
		return nil, err
	}

	var specs []T

	for decoder := json.NewDecoder(bytes.NewReader(printed)); decoder.More(); {
		var resource struct {
			Spec T `json:"spec"`
		}

		if err := decoder.Decode(&resource); err != nil {
			return nil, err
		}

		specs = append(specs, resource.Spec)
	}

	return specs, nil
}

// becomes waits until a node's resource is as it should be, so that a test need not know how long Talos takes.
func becomes[T any](t testing.TB, c *cluster, n *node, kind, id, want string, show func(T) string) {
	t.Helper()

	lab.Eventually(t, 20*time.Second, kind+" is "+want, func() error {
		specs, err := spec[T](c, n, kind, id)
		if err != nil {
			return err
		}

		var shown []string

		for _, spec := range specs {
			shown = append(shown, show(spec))
		}

		if got := strings.Join(shown, "; "); got != want {
			return fmt.Errorf("it is %s", got)
		}

		return nil
	})
}

func output(command *exec.Cmd) ([]byte, error) {
	var stderr bytes.Buffer

	command.Stderr = &stderr

	printed, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%v: %w\n%s", command.Args, err, &stderr)
	}

	return printed, nil
}
