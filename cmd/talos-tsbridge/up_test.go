package main

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talostest"
)

// clusterOf is the key of a script's cluster.
type clusterOf struct{}

// liveCluster is the cluster of a script, whose nodes act on their configs.
type liveCluster struct {
	*talostest.Cluster

	nodes map[string]*talostest.Live
}

// addLive adds a node to the cluster of the script: live ROLE ADDRESS [TAILNET-ADDRESS], or live maintenance ADDRESS FILE, which writes the
// config that it is to be installed with into the file. TALOSCONFIG leads to the cluster from then on.
func addLive(ts *testscript.TestScript, _ bool, args []string) {
	role, address := args[0], args[1]
	file, tailnetAddress := "", "100.64.0."+address[strings.LastIndex(address, ".")+1:]

	if len(args) > 2 {
		file, tailnetAddress = args[2], args[2]
	}

	if role == "maintenance" {
		tailnetAddress = "100.64.0." + address[strings.LastIndex(address, ".")+1:]
	}

	installed := machine.TypeWorker // what waits for its first config

	if role != "maintenance" {
		parsed, err := machine.ParseType(role)
		ts.Check(err)

		installed = parsed
	}

	config, err := talostest.Config(installed)
	ts.Check(err)

	cluster := clusterFor(ts)
	node := &talostest.Live{Address: address, TailnetAddress: tailnetAddress}

	const name = 3
	if len(args) > name {
		node.Name = args[name]
	}

	cluster.nodes[address] = node

	if role == "maintenance" {
		factory := strings.ReplaceAll(string(config), "ghcr.io/siderolabs/installer:", "factory.talos.dev/installer/4a0d65c669d46663f377e7161e50cfd570c401f26fd9e7bda34a0216b6f1922b:")
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(factory), 0o600))
		ts.Check(cluster.AddMaintenance(node, 20*time.Millisecond))

		return
	}

	_, err = cluster.AddLive(node, config, false)
	ts.Check(err)
}

func clusterFor(ts *testscript.TestScript) *liveCluster {
	if cluster, ok := ts.Value(clusterOf{}).(*liveCluster); ok && cluster.Cluster != nil {
		return cluster
	}

	holder, ok := ts.Value(clusterOf{}).(*liveCluster)
	if !ok {
		ts.Fatalf("no cluster")
	}

	started, err := talostest.Start()
	ts.Check(err)
	ts.Defer(started.Close)

	holder.Cluster, holder.nodes = started, map[string]*talostest.Live{}

	talosconfig, err := started.Talosconfig(talostest.RoleAdmin)
	ts.Check(err)

	path := filepath.Join(ts.Getenv("WORK"), ".tmp", "live-talosconfig")
	ts.Check(os.WriteFile(path, talosconfig, 0o600))
	ts.Setenv("TALOSCONFIG", path)

	return holder
}

// checkDisk looks for a text in the config on the disk of a node: disk ADDRESS TEXT; with !, that it never was there.
func checkDisk(ts *testscript.TestScript, never bool, args []string) {
	node := clusterFor(ts).nodes[args[0]]

	switch {
	case never && node.WasOnDisk(args[1]):
		ts.Fatalf("%s was on the disk of %s", args[1], args[0])
	case !never && !strings.Contains(node.Disk(), args[1]):
		ts.Fatalf("%s is not on the disk of %s:\n%s", args[1], args[0], node.Disk())
	}
}

// listen makes the Talos API of the cluster answer on an address too: listen ADDRESS.
func listen(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(clusterFor(ts).Listen(args[0]))
}

// setDown switches a node off: down ADDRESS; with !, on again.
func setDown(ts *testscript.TestScript, on bool, args []string) {
	clusterFor(ts).SetDown(args[0], !on)
}
