package main

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

// talosFlags are the flags of verify that are about nodes, by their names in talosctl.
type talosFlags struct {
	nodes       []string
	endpoints   []string
	talosconfig string
	context     string
	patchFile   string
}

func (f *talosFlags) bindNodes(flags *pflag.FlagSet) {
	flags.StringSliceVarP(&f.nodes, "nodes", "n", nil, "ask these nodes through the Talos API, a comma-separated `list` (default: those of the talosconfig, if it is given)")
	f.bindConnection(flags)
	flags.StringVar(&f.patchFile, "patch", "", "hold the nodes against the patch in `file`, with or without the key")
}

// bindConnection adds the flags of how to reach the Talos API.
func (f *talosFlags) bindConnection(flags *pflag.FlagSet) {
	flags.StringSliceVarP(&f.endpoints, "endpoints", "e", nil, "ask through these endpoints, a comma-separated `list` (default: those of the talosconfig)")
	flags.StringVar(&f.talosconfig, "talosconfig", "", "`path` of the talosconfig (default: as talosctl finds it)")
	flags.StringVar(&f.context, "context", "", "`name` of the context in the talosconfig (default: the current one)")
}

// connection is how to reach these nodes through the Talos API.
func (f *talosFlags) connection(addresses []string) nodes.Connection {
	return nodes.Connection{Talosconfig: f.talosconfig, Context: f.context, Endpoints: f.endpoints, Nodes: addresses}
}

// looksAtNodes reports whether any flag asks for it.
func (f *talosFlags) looksAtNodes() bool {
	return len(f.nodes) > 0 || len(f.endpoints) > 0 || f.talosconfig != "" || f.context != ""
}

// wanted reads the patch that nodes are held against, if there is one.
func (p *program) wanted(ctx context.Context, f *talosFlags) (*nodes.Wanted, error) {
	if f.patchFile == "" {
		return nil, nil //nolint:nilnil // none is wanted
	}

	text, err := p.readInput(ctx, "patch", f.patchFile)
	if err != nil {
		return nil, unseen(err)
	}

	wanted, err := nodes.ParseWanted(text)
	if err != nil {
		return nil, usagef("patch: %w", err)
	}

	return wanted, nil
}

// connect returns a connection to the nodes that the flags name.
func (f *talosFlags) connect(ctx context.Context) (*nodes.Talos, error) {
	talos, err := nodes.Connect(ctx, f.connection(f.nodes))
	if err != nil {
		return nil, exitError{err, exitUnseen}
	}

	return talos, nil
}
