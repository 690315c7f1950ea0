package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

// outcome is what up says about a node.
type outcome struct {
	Outcome string `json:"outcome"`
	Action  string `json:"action"`
	Code    string `json:"code"`
	Cause   string `json:"cause"`
	Sent    int    `json:"sent"`
	Keys    int    `json:"keys"`
}

// up brings one node of the bridge file up with a key.
func (c *cluster) up(t testing.TB, hostname, key string, flags ...string) (outcome, int) {
	t.Helper()

	stdout, stderr, code := c.bridge(t, []string{"TS_AUTHKEY=" + key},
		slices.Concat([]string{"up", "--file=" + c.path("bridge.yaml"), "--nodes=" + hostname, "--output=json"}, flags)...)

	for _, told := range [][]byte{stdout, stderr} {
		if bytes.Contains(told, []byte(key)) {
			t.Error("up tells the key")
		}
	}

	var report struct {
		Nodes []outcome `json:"nodes"`
	}

	if err := json.Unmarshal(stdout, &report); err != nil || len(report.Nodes) != 1 {
		t.Fatalf("up ends with %d and prints:\n%s%s", code, stdout, stderr)
	}

	return report.Nodes[0], code
}

// bridgeFile writes the file that says what the nodes are.
func (c *cluster) bridgeFile(t testing.TB, settings string, nodes ...*node) {
	t.Helper()

	text := fmt.Sprintf("loginServer: %s\nnodeIPSubnets: [%s]\n%s\nnodes:\n", c.Control.URL, lab.LANPrefix, settings)

	for _, n := range nodes {
		role := "worker"
		if n == c.endpoint {
			role = "controlplane"
		}

		lab.WriteFile(t, c.path(role+".yaml"), string(c.config(t, role, []byte("machine: {}\n"))))

		text += fmt.Sprintf("  %s: {address: %s, role: %s, config: %s.yaml}\n", n.hostname, n.LANAddress, role, role)
	}

	lab.WriteFile(t, c.path("bridge.yaml"), text)
}

// From a node without a config to one that is on the tailnet, and all that a cluster's life asks of up.
func TestUp(t *testing.T) {
	t.Parallel()

	c := newCluster(t)
	n, worker := c.endpoint, plugNode(t, c.LAN, "lab-worker-1")
	c.bridgeFile(t, "advertiseTags: [tag:k8s]", n, worker)

	n.on(t, nil)
	worker.on(t, nil)
	c.waits(t, n)
	c.waits(t, worker)

	for _, n := range []*node{n, worker} {
		t.Run("installs and joins "+n.hostname, func(t *testing.T) {
			key := c.Control.SingleUseKey(t)
			watch := watchDisk(n, key)

			said, code := c.up(t, n.hostname, key)
			if code != 0 || said.Outcome != "done" || said.Action != "install" || said.Keys != 1 {
				t.Fatalf("up ends with %d and says %+v", code, said)
			}

			if found := watch.stop(); len(found) > 0 {
				t.Errorf("the key was on the node's disk: %v", found)
			}

			n.joined(t)
			c.hasNoKey(t, n, key)
			c.finds(t, n, 0, nil)
		})
	}

	if t.Failed() {
		return
	}

	asWanted := func(t *testing.T) {
		before := c.configVersion(t, n)

		if said, code := c.up(t, n.hostname, c.Control.SingleUseKey(t)); code != 0 || said.Outcome != "as-wanted" || said.Sent != 0 || said.Keys != 0 {
			t.Errorf("up ends with %d and says %+v", code, said)
		}

		if after := c.configVersion(t, n); after != before {
			t.Errorf("the config of the node was version %s and is %s", before, after)
		}
	}

	const changed = "advertiseTags: [tag:k8s, tag:talos]\nacceptRoutes: true"

	t.Run("the second run sends nothing", asWanted)

	t.Run("changed arguments are in force at the device", func(t *testing.T) {
		c.bridgeFile(t, changed, n, worker)

		if said, code := c.up(t, n.hostname, c.Control.SingleUseKey(t)); code != 0 || said.Action != "login" || said.Keys != 0 {
			t.Fatalf("up ends with %d and says %+v", code, said)
		}

		// The last of its configs restarts the service once more.
		lab.Eventually(t, 20*time.Second, "the node accepts routes", func() error {
			var preferences struct {
				RouteAll bool
			}

			printed, err := n.tailscale("debug", "prefs")
			if err == nil {
				err = json.Unmarshal(printed, &preferences)
			}

			if err == nil && !preferences.RouteAll {
				err = fmt.Errorf("it does not")
			}

			return err
		})

		c.Control.Knows(t, lab.Device{Name: "lab-cp-1", Tags: []string{"tag:k8s", "tag:talos"}, Online: true})

		asWanted(t)
	})

	t.Run("a key that is left in the config is removed", func(t *testing.T) {
		key := c.Control.SingleUseKey(t)
		c.bridgeFile(t, "advertiseTags: [tag:k8s]", n, worker)
		c.apply(t, worker, c.config(t, "worker", c.patch(t, key, "--role=worker", "--hostname=lab-worker-1", "--advertise-tags=tag:k8s")))

		if said, code := c.up(t, worker.hostname, c.Control.SingleUseKey(t)); code != 0 || said.Action != "remove-key" || said.Keys != 0 {
			t.Errorf("up ends with %d and says %+v", code, said)
		}

		c.hasNoKey(t, worker, key)
		worker.joined(t)
	})

	t.Run("joined over a reboot", func(t *testing.T) {
		c.bridgeFile(t, changed, n, worker)

		address := n.joined(t)

		n.off(t)
		n.on(t, nil)
		c.answers(t, n)

		if after := n.joined(t); after != address {
			t.Errorf("the address was %s and is %s", address, after)
		}

		asWanted(t)
	})
}

// A node that does not come up is told why, and is left without the key.
func TestUpFails(t *testing.T) {
	t.Parallel()

	c := newCluster(t)
	n := c.endpoint
	c.bridgeFile(t, "", n)

	// It runs, and has never heard of the tailnet.
	n.on(t, c.config(t, "controlplane", []byte("machine: {}\n")))
	c.answers(t, n)

	const wrong = "0123456789abcdef0123456789abcdef0123456789abcdef"

	t.Run("a dry run changes nothing", func(t *testing.T) {
		before := c.configVersion(t, n)

		if said, code := c.up(t, n.hostname, wrong, "--dry-run"); code != 0 || said.Outcome != "planned" || said.Action != "join" {
			t.Errorf("up ends with %d and says %+v", code, said)
		}

		if after := c.configVersion(t, n); after != before {
			t.Errorf("the config of the node was version %s and is %s", before, after)
		}
	})

	t.Run("a wrong key", func(t *testing.T) {
		said, code := c.up(t, n.hostname, wrong, "--wait=25s")
		if code != 1 || said.Outcome != "failed" || said.Code == "" {
			t.Errorf("up ends with %d and says %+v", code, said)
		}

		t.Logf("%s: %s", said.Code, said.Cause)

		lab.Eventually(t, 90*time.Second, "the node takes the key back", func() error { return c.keyIn(n, wrong) })

		if found := search(n.data, wrong); len(found) > 0 {
			t.Errorf("the key is on the node's disk: %v", found)
		}
	})

	t.Run("interrupted", func(t *testing.T) {
		command := c.bridgeCommand([]string{"TS_AUTHKEY=" + wrong}, "up", "--file="+c.path("bridge.yaml"), "--nodes="+n.hostname, "--wait=60s")
		run := lab.StartProcess(t, "up", command, nil)

		lab.Eventually(t, 30*time.Second, "the node tries the key", func() error {
			if c.keyIn(n, wrong) == nil {
				return fmt.Errorf("its config has no key")
			}

			return nil
		})

		if err := run.Interrupt(); err != nil {
			t.Fatal(err)
		}

		if !run.EndsWithin(2 * time.Minute) {
			t.Error("up does not end after an interrupt")
		}

		if strings.Contains(run.Log(), wrong) {
			t.Error("up tells the key")
		}

		lab.Eventually(t, 120*time.Second, "the node takes the key back", func() error { return c.keyIn(n, wrong) })
	})

	t.Run("then the right one", func(t *testing.T) {
		key := c.Control.SingleUseKey(t)

		if said, code := c.up(t, n.hostname, key); code != 0 || said.Action != "join" || said.Keys != 1 {
			t.Errorf("up ends with %d and says %+v", code, said)
		}

		c.hasNoKey(t, n, key)
	})
}

// waits until a node that has no config answers the insecure API.
func (c *cluster) waits(t testing.TB, n *node) {
	t.Helper()

	lab.Eventually(t, lab.JoinWithin, "the node is in maintenance mode", func() error {
		_, err := output(c.LAN.Command(filepath.Join(talos, "talosctl"), "version", "--insecure", "--nodes", n.LANAddress))

		return err
	})
}

// keyIn is an error while the node's config has a key.
func (c *cluster) keyIn(n *node, key string) error {
	configs, err := c.talosctl("--nodes", n.LANAddress, "get", "machineconfigs", "--output", "yaml")
	if err != nil {
		return err
	}

	if bytes.Contains(configs, []byte(key)) {
		return fmt.Errorf("the config of the node has the key")
	}

	return nil
}

func (c *cluster) hasNoKey(t testing.TB, n *node, key string) {
	t.Helper()

	if err := c.keyIn(n, key); err != nil {
		t.Error(err)
	}

	if found := search(n.data, key); len(found) > 0 {
		t.Errorf("the key is on the node's disk: %v", found)
	}

	// Else nothing was searched.
	if found := search(filepath.Join(n.data, "state"), "kind: ExtensionServiceConfig"); len(found) == 0 {
		t.Error("the node's config is not where it is looked for")
	}
}

// configVersion changes with each config that a node gets.
func (c *cluster) configVersion(t testing.TB, n *node) string {
	t.Helper()

	printed, err := c.talosctl("--nodes", n.LANAddress, "get", "machineconfigs", "v1alpha1", "--output", "jsonpath={.metadata.version}")
	if err != nil {
		t.Fatal(err)
	}

	return string(printed)
}

// search looks for a text in all files of a folder.
func search(folder, text string) (found []string) {
	_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil
		}

		if content, err := os.ReadFile(path); err == nil && bytes.Contains(content, []byte(text)) {
			found = append(found, path)
		}

		return nil
	})

	return found
}

// diskWatch searches a node's volumes over and over.
type diskWatch struct {
	stopping chan struct{}
	found    chan []string
}

func watchDisk(n *node, text string) *diskWatch {
	w := &diskWatch{stopping: make(chan struct{}), found: make(chan []string, 1)}

	go func() {
		var all []string

		for {
			for _, path := range search(n.data, text) {
				if !slices.Contains(all, path) {
					all = append(all, path)
				}
			}

			select {
			case <-w.stopping:
				w.found <- all

				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()

	return w
}

func (w *diskWatch) stop() []string {
	close(w.stopping)

	return <-w.found
}
