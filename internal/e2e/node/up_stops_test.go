package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

// stopped starts up, lets something happen once it tells of a stage, and waits for its end. It returns what up says about
// the node, which is nothing where it was killed.
func (c *cluster) stopped(t testing.TB, n *node, key, stage string, happens func(*os.Process) error, flags ...string) (said outcome, code int) {
	t.Helper()

	var stdout bytes.Buffer

	stderr := &lab.Journal{}
	command := c.bridgeCommand([]string{"TS_AUTHKEY=" + key},
		append([]string{"up", "--file=" + c.path("bridge.yaml"), "--nodes=" + n.hostname, "--output=json", "--settle=1s"}, flags...)...)
	command.Stdout, command.Stderr = &stdout, stderr

	if err := command.Start(); err != nil {
		t.Fatal(err)
	}

	ended := make(chan struct{})

	go func() {
		defer close(ended)

		_ = command.Wait()
	}()

	told := n.hostname + ": " + stage + "\n"

	for deadline := time.Now().Add(2 * time.Minute); !strings.Contains(stderr.String(), told); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			_ = command.Process.Kill()

			t.Fatalf("up does not come to %q:\n%s", stage, stderr)
		}
	}

	if err := happens(command.Process); err != nil {
		t.Fatal(err)
	}

	select {
	case <-ended:
	case <-time.After(5 * time.Minute):
		_ = command.Process.Kill()

		t.Errorf("up does not end:\n%s", stderr)
	}

	if strings.Contains(stderr.String()+stdout.String(), key) {
		t.Error("up tells the key")
	}

	var report struct {
		Nodes []outcome `json:"nodes"`
	}

	if err := json.Unmarshal(stdout.Bytes(), &report); err == nil && len(report.Nodes) == 1 {
		said = report.Nodes[0]
	}

	return said, command.ProcessState.ExitCode()
}

// forgets makes a node one that has never heard of the tailnet.
func (c *cluster) forgets(t testing.TB, n *node, config []byte) {
	t.Helper()

	c.apply(t, n, config)

	lab.Eventually(t, 30*time.Second, "the node leaves the tailnet", func() error {
		if address, err := n.tailnetAddress(); err == nil {
			return fmt.Errorf("it has the address %s", address)
		}

		if pid, _, err := n.containerboot(); err == nil {
			return fmt.Errorf("its service is process %d", pid)
		}

		return nil
	})

	if err := os.RemoveAll(filepath.Join(n.data, "var/lib/tailscale")); err != nil {
		t.Fatal(err)
	}
}

// Whenever up ends before it is done, the key is on no disk, and the next run finishes what was begun.
func TestUpStops(t *testing.T) {
	t.Parallel()

	c := newCluster(t)
	n := c.endpoint
	c.bridgeFile(t, "", n)

	plain := c.config(t, "controlplane", []byte("machine: {}\n"))
	n.on(t, plain)
	c.answers(t, n)

	const (
		preparing  = "bringing all but the service up to date"
		joining    = "joining"
		waiting    = "waiting for the tailnet"
		persisting = "persisting the config"
	)

	interrupt := func(up *os.Process) error { return up.Signal(syscall.SIGINT) }
	kill := (*os.Process).Kill

	for i, test := range []struct {
		name, stage string
		happens     func(*os.Process) error
		outcome     string // of the run that ends early, "" where it cannot tell
	}{
		{"SIGINT while the config is prepared", preparing, interrupt, "failed"},
		{"SIGINT while it joins", joining, interrupt, "failed"},
		{"SIGINT while it waits", waiting, interrupt, "failed"},
		{"SIGINT once it has joined", persisting, interrupt, "done"},
		{"SIGKILL while the config is prepared", preparing, kill, ""},
		{"SIGKILL while it joins", joining, kill, ""},
		{"SIGKILL while it waits", waiting, kill, ""},
		{"SIGKILL once it has joined", persisting, kill, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if i > 0 {
				c.forgets(t, n, plain)
			}

			first, second := c.Control.SingleUseKey(t), c.Control.SingleUseKey(t)
			watches := []*diskWatch{watchDisk(n, first), watchDisk(n, second)}

			said, code := c.stopped(t, n, first, test.stage, test.happens)
			if code == 0 || said.Outcome != test.outcome {
				t.Errorf("up ends with %d and says %+v", code, said)
			}

			if test.outcome == "failed" && said.Code != "interrupted" {
				t.Errorf("up says %+v", said)
			}

			if said, code := c.up(t, n.hostname, second, "--settle=1s"); code != 0 || said.Outcome != "done" && (said.Outcome != "as-wanted" || test.stage != persisting) {
				t.Errorf("the next run ends with %d and says %+v", code, said)
			}

			for _, watch := range watches {
				if found := watch.stop(); len(found) > 0 {
					t.Errorf("the key was on the node's disk: %v", found)
				}
			}

			n.joined(t)
			c.hasNoKey(t, n, first)
			c.hasNoKey(t, n, second)

			if said, code := c.up(t, n.hostname, second, "--settle=1s"); code != 0 || said.Outcome != "as-wanted" || said.Sent > 0 {
				t.Errorf("the run after that ends with %d and says %+v", code, said)
			}
		})
	}

	t.Run("started again while it waits", func(t *testing.T) {
		c.forgets(t, n, plain)

		first, second := c.Control.SingleUseKey(t), c.Control.SingleUseKey(t)

		said, code := c.stopped(t, n, first, waiting, func(*os.Process) error {
			n.kill(t)
			n.on(t, nil)

			return nil
		}, "--wait=1h") // which is not waited for
		if code != 1 || said.Outcome != "failed" || said.Code != "not-joined" || !strings.Contains(said.Cause, "started again") {
			t.Errorf("up ends with %d and says %+v", code, said)
		}

		c.answers(t, n)

		if said, code := c.up(t, n.hostname, second, "--settle=1s"); code != 0 || said.Outcome != "done" {
			t.Errorf("the next run ends with %d and says %+v", code, said)
		}

		n.joined(t)
		c.hasNoKey(t, n, first)
		c.hasNoKey(t, n, second)
	})

	t.Run("switched off while it waits", func(t *testing.T) {
		c.forgets(t, n, plain)

		first, second := c.Control.SingleUseKey(t), c.Control.SingleUseKey(t)
		watch := watchDisk(n, first)

		said, code := c.stopped(t, n, first, waiting, func(*os.Process) error {
			n.kill(t)

			return nil
		}, "--wait=10s")
		if code != 1 || said.Outcome != "failed" || said.Code != "not-joined" || !strings.Contains(said.Cause, "does not answer any more") {
			t.Errorf("up ends with %d and says %+v", code, said)
		}

		if said, code := c.up(t, n.hostname, second, "--settle=1s"); code != 3 || said.Outcome != "unknown" || said.Code != "node-unreachable" || said.Keys > 0 {
			t.Errorf("while it is off, up ends with %d and says %+v", code, said)
		}

		n.on(t, nil)
		c.answers(t, n)

		if said, code := c.up(t, n.hostname, second, "--settle=1s"); code != 0 || said.Outcome != "done" {
			t.Errorf("the next run ends with %d and says %+v", code, said)
		}

		if found := watch.stop(); len(found) > 0 {
			t.Errorf("the key was on the node's disk: %v", found)
		}

		n.joined(t)
		c.hasNoKey(t, n, first)
		c.hasNoKey(t, n, second)
	})
}
