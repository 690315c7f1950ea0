package main

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

// talosFlags are the flags of commands that call the Talos API, by their names in talosctl.
type talosFlags struct {
	nodes       []string
	endpoints   []string
	talosconfig string
	context     string
}

// bindConnection adds the flags of how to reach the Talos API.
func (f *talosFlags) bindConnection(flags *pflag.FlagSet) {
	f.bindTalosconfig(flags)
	flags.StringVar(&f.context, "context", "", "`name` of the context in the talosconfig (default: the current one)")
}

// bindTalosconfig adds the flags of bindConnection but the one for the context.
func (f *talosFlags) bindTalosconfig(flags *pflag.FlagSet) {
	flags.StringSliceVarP(&f.endpoints, "endpoints", "e", nil, "ask through these endpoints, a comma-separated `list` (default: those of the talosconfig)")
	flags.StringVar(&f.talosconfig, "talosconfig", "", "`path` of the talosconfig (default: as talosctl finds it)")
}

// connection is how to reach these nodes through the Talos API.
func (f *talosFlags) connection(addresses []string) nodes.Connection {
	return nodes.Connection{Talosconfig: f.talosconfig, Context: f.context, Endpoints: f.endpoints, Nodes: addresses}
}

// looksAtNodes reports whether any flag asks for it.
func (f *talosFlags) looksAtNodes() bool {
	return len(f.nodes) > 0 || len(f.endpoints) > 0 || f.talosconfig != "" || f.context != ""
}

// connect returns a connection to the nodes that the flags name.
func (f *talosFlags) connect(ctx context.Context) (*nodes.Talos, error) {
	talos, err := nodes.Connect(ctx, f.connection(f.nodes))
	if err != nil {
		return nil, exitError{err, exitUnseen}
	}

	return talos, nil
}
