package node

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

// The ways in which talosctl takes a patch, each with the real one, from the first config to the last change.
func TestTalosctl(t *testing.T) {
	t.Parallel()

	c := newCluster(t)
	key := c.Control.ReusableKey(t)
	n, waiting := c.endpoint, plugNode(t, c.LAN, "lab-worker-1")
	talosctl := filepath.Join(talos, "talosctl")

	// exec runs a command with our binary, which fills in the patch.
	exec := func(t *testing.T, flags []string, command ...string) {
		t.Helper()

		stdout, stderr, code := c.bridge(t, []string{"TS_AUTHKEY=" + key}, slices.Concat([]string{
			"exec", "--quiet", "--login-server=" + c.Control.URL, "--node-ip-subnet=" + lab.LANPrefix,
		}, flags, []string{"--", talosctl}, command)...)
		if code != 0 {
			t.Fatalf("exec ends with %d:\n%s%s", code, stdout, stderr)
		}
	}

	configs := c.path("configs")
	exec(t, []string{"--hostname=from-gen-config"},
		c.genConfig("controlplane,worker", configs, "--config-patch-control-plane", "@-", "--config-patch-worker", "@-")...)

	controlPlane, err := os.ReadFile(filepath.Join(configs, "controlplane.yaml"))
	if err != nil {
		t.Fatal(err)
	}

	n.on(t, controlPlane)
	c.answers(t, n)
	n.joined(t)

	knows := func(t *testing.T, name string) {
		t.Helper()
		c.Control.Knows(t, lab.Device{Name: name, Online: true})
	}

	knows(t, "from-gen-config")

	bare := c.path("bare.yaml")
	lab.WriteFile(t, bare, string(c.config(t, "controlplane", []byte("machine: {}\n"))))

	t.Run("machineconfig patch", func(t *testing.T) {
		patched := filepath.Join(t.TempDir(), "patched.yaml")
		exec(t, []string{"--hostname=from-machineconfig"}, "machineconfig", "patch", bare, "--patch", "@-", "--output", patched)

		config, err := os.ReadFile(patched)
		if err != nil {
			t.Fatal(err)
		}

		c.apply(t, n, config)
		knows(t, "from-machineconfig")
	})

	t.Run("apply-config", func(t *testing.T) {
		exec(t, []string{"--hostname=from-apply-config"}, "apply-config", "--nodes", n.LANAddress, "--file", bare, "--config-patch", "@-")
		knows(t, "from-apply-config")
	})

	t.Run("apply-config for a while", func(t *testing.T) {
		exec(t, []string{"--hostname=from-a-try"}, "apply-config", "--nodes", n.LANAddress, "--file", bare, "--config-patch", "@-", "--mode=try", "--timeout=10s")
		knows(t, "from-a-try")
		knows(t, "from-apply-config")
	})

	t.Run("apply-config to a node in maintenance mode", func(t *testing.T) {
		waiting.on(t, nil)
		c.waits(t, waiting)

		exec(t, []string{"--hostname=lab-worker-1", "--role=worker"}, "apply-config", "--insecure", "--nodes", waiting.LANAddress,
			"--file", c.workerFile(t), "--config-patch", "@-")
		c.answers(t, waiting)
		knows(t, "lab-worker-1")
	})

	t.Run("a pipe from a run that fails", func(t *testing.T) {
		before := c.configVersion(t, n)

		failing := lab.Bridge(key, "--hostname=not_a_hostname", "--quiet")

		document, err := failing.Output()
		if err == nil {
			t.Fatal("our binary takes a hostname that is none")
		}

		command := c.LAN.Command(c.talosctlCommand("--nodes", n.LANAddress, "apply-config", "--file", bare, "--config-patch", "@/dev/stdin")...)
		command.Stdin = bytes.NewReader(document)

		if _, err := output(command); err == nil {
			t.Error("talosctl takes what a failed run leaves in the pipe")
		}

		if after := c.configVersion(t, n); after != before {
			t.Errorf("the config of the node was version %s and is %s", before, after)
		}
	})
}

// workerFile is a config that knows nothing of the tailnet.
func (c *cluster) workerFile(t testing.TB) string {
	t.Helper()

	file := filepath.Join(t.TempDir(), "worker.yaml")
	lab.WriteFile(t, file, string(c.config(t, "worker", []byte("machine: {}\n"))))

	return file
}
