package fleet_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siderolabs/go-pointer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

const lab = `# a cluster
talosVersion: v1.14
advertiseTags: [tag:k8s]
nodeIPSubnets: [192.168.1.0/24]
env: {TS_NO_LOGS_NO_SUPPORT: "true"}
authKey: {source: mint, expiry: 90d}
staticHostsFrom: [tag:vault]
nodes:
  lab-cp-1:     {address: 192.168.1.10, role: controlplane}
  lab-worker-1: {address: 192.168.1.11, role: worker, advertiseRoutes: [192.168.1.0/24], authKey: {expiry: 10m}}
  lab-worker-2:
    address: lab-worker-2.lan
    config: worker.yaml
    acceptRoutes: true
    hostname: other
    env: {TS_X: "1"}
`

func TestParse(t *testing.T) {
	t.Parallel()

	file, err := fleet.Parse("lab/bridge.yaml", []byte(lab))
	require.NoError(t, err)

	assert.Equal(t, []string{"tag:k8s"}, file.Defaults.AdvertiseTags)
	assert.Equal(t, []string{"tag:vault"}, file.StaticHostsFrom)
	assert.Equal(t, "mint", file.Key.Source)
	assert.Equal(t, 90*24*time.Hour, time.Duration(file.Key.Expiry))

	require.Len(t, file.Nodes, 3)
	assert.Equal(t, "lab-cp-1", file.Nodes[0].Name)
	assert.Equal(t, "192.168.1.10", file.Nodes[0].Address)
	assert.Equal(t, pointer.To("controlplane"), file.Nodes[0].Settings.Role)
	assert.Equal(t, []string{"192.168.1.0/24"}, file.Nodes[1].Settings.AdvertiseRoutes)
	assert.Equal(t, "worker.yaml", file.Nodes[2].Config)
	assert.Nil(t, file.Nodes[2].Settings.AdvertiseTags, "what a node does not say is not given")
}

func TestPlan(t *testing.T) {
	t.Parallel()

	file, err := fleet.Parse("bridge.yaml", []byte(lab))
	require.NoError(t, err)

	plan, err := file.Plan(fleet.PlanOptions{Over: patch.Settings{AcceptDNS: pointer.To(true)}})
	require.NoError(t, err)
	require.Equal(t, 3, plan.Len())

	text := redacted(t, plan, 0)
	assert.Contains(t, text, "TS_HOSTNAME=lab-cp-1\n", "the name of a node is its hostname")
	assert.Contains(t, text, "advertisedSubnets:", "the role counts")
	assert.Contains(t, text, "TS_ACCEPT_DNS=true\n", "flags come over the file")

	text = redacted(t, plan, 2)
	assert.Contains(t, text, "TS_HOSTNAME=other\n")
	assert.Contains(t, text, "TS_NO_LOGS_NO_SUPPORT=true\n", "variables add up by name")
	assert.Contains(t, text, "TS_X=1\n")
	assert.Contains(t, text, "--accept-routes=true")

	assert.Equal(t, fleet.Duration(10*time.Minute), plan.Key(1).Expiry)
	assert.Equal(t, "mint", plan.Key(1).Source, "a node replaces the fields that it says")

	only, err := file.Plan(fleet.PlanOptions{Only: []string{"lab-worker-1"}})
	require.NoError(t, err)
	assert.Equal(t, 1, only.Len())
}

func redacted(t *testing.T, plan *fleet.Plan, i int) string {
	t.Helper()

	made, err := plan.Patch(i, placeholder(t))
	require.NoError(t, err)

	text, err := made.Redacted()
	require.NoError(t, err)

	return string(text)
}

// Each fault names the node and the field, with its place in the file; one of the top comes once, not once a node.
func TestPlanFaults(t *testing.T) {
	t.Parallel()

	file, err := fleet.Parse("bridge.yaml", []byte(`loginServer: not a URL
nodes:
  a: {address: 192.168.1.10, advertiseRoutes: [192.168.1.0/99]}
  b: {address: 192.168.1.11, role: worker, etcdSubnets: [10.0.0.0/8]}
  c: {}
`))
	require.NoError(t, err)

	_, err = file.Plan(fleet.PlanOptions{NeedsAddress: true, Only: []string{"a", "b", "c", "d"}})

	var faults fleet.Faults
	require.ErrorAs(t, err, &faults)

	var places []fleet.Fault
	for _, fault := range faults {
		assert.NotEmpty(t, fault.Message)

		fault.File, fault.Message = "", ""
		places = append(places, fault)
	}

	assert.Equal(t, []fleet.Fault{
		{Field: "nodes", Line: 0},
		{Field: "loginServer", Line: 1, Column: 1},
		{Node: "a", Field: "advertiseRoutes", Line: 3, Column: 30},
		{Node: "b", Field: "etcdSubnets", Line: 4, Column: 44},
		{Node: "c", Field: "address", Line: 5, Column: 3},
	}, places)
}

func TestLoadAndConfig(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bridge.yaml"), []byte("nodes:\n  a: {config: a.yaml}\n  b: {configFiles: {/etc/tailscale/x: x.json}}\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "x.json"), []byte("{}\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("machine: {}\n"), 0o600))

	file, err := fleet.Load(t.Context(), filepath.Join(dir, "bridge.yaml"))
	require.NoError(t, err)

	plan, err := file.Plan(fleet.PlanOptions{})
	require.NoError(t, err)

	assert.Equal(t, map[string]string{"/etc/tailscale/x": filepath.Join(dir, "x.json")}, plan.Settings(1).ConfigFiles)

	text, err := plan.Config(t.Context(), 0)
	require.NoError(t, err, "the folder is that of the file")
	assert.Equal(t, "machine: {}\n", string(text))

	_, err = plan.Config(t.Context(), 1)
	assert.ErrorContains(t, err, "config: FILE")
}

// What is no fault and easily a mistake is told, with the nodes that it is about.
func TestPlanNotes(t *testing.T) {
	t.Parallel()

	file, err := fleet.Parse("bridge.yaml", []byte(`talosVersion: v1.14
nodeIPSubnets: [192.168.1.0/24]
nodes:
  a: {address: 192.168.2.10, advertiseRoutes: [10.55.0.0/16]}
  b: {address: 192.168.1.11, advertiseRoutes: [10.56.0.0/16, 10.55.0.0/16]}
  c: {address: c.lan, nodeIPSubnets: [192.168.3.0/24]}
  d: {address: 192.168.2.11, nodeIPSubnets: ["placeholder:{{ .Node.Data.lan }}"]}
  e: {address: 192.168.1.200, nodeIPSubnets: [192.168.1.0/24, "!192.168.1.200"], advertiseRoutes: [192.168.1.0/24]}
  f: {address: "2001:db8::1", nodeIPSubnets: [192.168.1.0/24, "2001:db8::/64"], advertiseRoutes: ["10.0.0.0/8, 192.168.1.7/24"]}
  g: {address: 127.0.0.1, nodeIPSubnets: ["192.168.1.10"]}
  h: {address: 192.168.1.10, nodeIPSubnets: ["192.168.1.10/32"]}
`))
	require.NoError(t, err)

	plan, err := file.Plan(fleet.PlanOptions{})
	require.NoError(t, err)

	var told [][]string

	for _, note := range plan.Notes() {
		if strings.Contains(note.Text, "in none of the node IP subnets") || strings.Contains(note.Text, "one of them at a time") {
			told = append(told, note.Nodes)
		}
	}

	assert.Equal(t, [][]string{{"a"}, {"e"}, {"a", "b"}, {"e", "f"}}, told, "%v", plan.Notes())
}

// A note on thousands of nodes names a few.
func TestPlanNoteOnMany(t *testing.T) {
	t.Parallel()

	file, err := fleet.Parse("bridge.yaml", bytes.ReplaceAll(manyNodes(1000), []byte("role:"), []byte("advertiseRoutes: [10.55.0.0/16], role:")))
	require.NoError(t, err)

	plan, err := file.Plan(fleet.PlanOptions{})
	require.NoError(t, err)
	require.Len(t, plan.Notes(), 1)
	assert.Len(t, plan.Notes()[0].Nodes, 1000)
	assert.Less(t, len(plan.Notes()[0].Text), 300)
	assert.Contains(t, plan.Notes()[0].Text, "and 995 more")
}
