package node

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talostest"
)

// The stand-in of the fast tests answers as a node does: verify reads the same things from both, and finds the same.
func TestStandInIsAsTheNode(t *testing.T) {
	t.Parallel()

	c := newCluster(t)
	n := c.controlPlane(t, c.Control.SingleUseKey(t))

	standIn, err := talostest.Start()
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(standIn.Close)

	const address = "172.16.0.10"

	if _, err := standIn.AddHealthy(address); err != nil {
		t.Fatal(err)
	}

	for _, role := range []string{"os:admin", "os:reader"} {
		t.Run(role, func(t *testing.T) {
			real, wantCode := c.asked(t, c.LAN.Command, c.talosconfigOf(t, role), n.LANAddress)

			config, err := standIn.Talosconfig(role, address)
			if err != nil {
				t.Fatal(err)
			}

			file := filepath.Join(t.TempDir(), "talosconfig")
			lab.WriteFile(t, file, string(config))

			here := func(argv ...string) *exec.Cmd { return exec.Command(argv[0], argv[1:]...) }

			stood, code := c.asked(t, here, file, address)
			if code != wantCode {
				t.Errorf("verify ends with %d for the node and with %d for the stand-in", wantCode, code)
			}

			// What the two nodes are differs, and not which of their properties can be read.
			// Of what image it runs the stand-in tells where a test sets it.
			want := slices.DeleteFunc(properties("", real), func(name string) bool {
				return slices.Contains([]string{"installImage", "platform", "talosVersion"}, name)
			})

			if got := properties("", stood); !slices.Equal(got, want) {
				t.Errorf("of the node is read\n%v\nand of the stand-in\n%v", want, got)
			}
		})
	}
}

// asked is what verify reads of a node, and the codes of what it finds.
func (c *cluster) asked(t testing.TB, command func(...string) *exec.Cmd, talosconfig, address string) (map[string]any, int) {
	t.Helper()

	run := command(lab.Programs.Bridge, "verify", "--output=json", "--quiet", "--talosconfig="+talosconfig, "--nodes="+address)
	run.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.folder}

	// The exit code is compared too.
	printed, _ := run.Output()

	var report struct {
		Nodes    []map[string]any `json:"nodes"`
		Findings []struct {
			Code string `json:"code"`
		} `json:"findings"`
	}

	if err := json.Unmarshal(printed, &report); err != nil || len(report.Nodes) != 1 {
		t.Fatalf("verify prints %q: %v", printed, err)
	}

	for i, finding := range report.Findings {
		report.Nodes[0][fmt.Sprint("finding ", i, " ", finding.Code)] = true
	}

	return report.Nodes[0], run.ProcessState.ExitCode()
}

// properties are the names of what a value has, those of its parts with a dot.
func properties(above string, value any) []string {
	var names []string

	for name, part := range value.(map[string]any) {
		names = append(names, above+name)

		if parts, has := part.(map[string]any); has {
			names = append(names, properties(above+name+".", parts)...)
		}
	}

	slices.Sort(names)

	return names
}

// talosconfigOf is a talosconfig of the cluster with a role.
func (c *cluster) talosconfigOf(t testing.TB, role string) string {
	t.Helper()

	file := filepath.Join(t.TempDir(), "talosconfig")
	if _, err := c.talosctl("config", "new", "--roles="+role, file); err != nil {
		t.Fatal(err)
	}

	c.talosctlHere(t, nil, "--talosconfig", file, "config", "endpoint", c.endpoint.LANAddress)

	return file
}
