package talosapi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/siderolabs/talos/pkg/machinery/client"
	clientconfig "github.com/siderolabs/talos/pkg/machinery/client/config"

	"github.com/talos-tsbridge/talos-tsbridge/internal/ctxio"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

// Connection says how to reach the Talos API, in talosctl's terms. The zero Connection is what talosctl does without flags.
type Connection struct {
	// Talosconfig is the path of the client configuration. Default: TALOSCONFIG, ~/.talos/config, or that of a service
	// account in a pod; the first that exists.
	Talosconfig string
	// Context is the name of the context in it. Default: the current one.
	Context string
	// Endpoints are used instead of those of the context.
	Endpoints []string
	// Nodes are used instead of those of the context.
	Nodes []string
}

// Connect reads the client configuration and makes a client of it. Nothing is sent yet.
func Connect(ctx context.Context, connection Connection) (*Client, error) {
	config, err := connection.read(ctx)
	if err != nil {
		return nil, err
	}

	name := connection.Context
	if name == "" {
		name = config.Context
	}

	chosen := config.Contexts[name]
	if chosen == nil {
		return nil, noContext(name, len(config.Contexts))
	}

	options := []client.OptionFunc{client.WithConfig(config), client.WithContextName(name), client.WithDefaultGRPCDialOptions(), client.WithGRPCDialOptions(bounded()...)}
	if len(connection.Endpoints) > 0 {
		options = append(options, client.WithEndpoints(connection.Endpoints...))
	}

	talos, err := client.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("talosconfig, context %s: %w", quote.Value(name), err)
	}

	nodes := connection.Nodes
	for _, others := range [][]string{chosen.Nodes, connection.Endpoints, chosen.Endpoints} {
		if len(nodes) == 0 {
			nodes = others
		}
	}

	return New(talos, nodes...), nil
}

// noContext says that a configuration with so many contexts does not have the one of a name.
func noContext(name string, contexts int) error {
	switch {
	case contexts == 0: // as talosctl leaves one behind that had none
		return errors.New("the talosconfig has no contexts: name another with --talosconfig or TALOSCONFIG")
	case name == "":
		return errors.New("the talosconfig chooses no context: name one with --context")
	}

	return fmt.Errorf("the talosconfig has no context %s: write one that talosctl config contexts lists", quote.Value(name))
}

// Contexts returns the names of the contexts in the client configuration.
func (c Connection) Contexts(ctx context.Context) ([]string, error) {
	config, err := c.read(ctx)
	if err != nil {
		return nil, err
	}

	return slices.Sorted(maps.Keys(config.Contexts)), nil
}

// read reads the client configuration.
func (c Connection) read(ctx context.Context) (*clientconfig.Config, error) {
	path, text, err := c.Find(ctx)
	if err != nil {
		return nil, err
	}

	config, err := clientconfig.FromBytes(text)
	if err != nil {
		// what the parser says may quote the file, which holds a key
		return nil, fmt.Errorf("talosconfig %s cannot be read: check that it is YAML as talosctl writes it", quote.Value(path))
	}

	return config, nil
}

// Find returns the file of the client configuration and what it holds, which is secret. The function of machinery that does
// so also creates one where there is none.
func (c Connection) Find(ctx context.Context) (path string, text []byte, err error) {
	paths := []clientconfig.Path{{Path: c.Talosconfig}}

	if c.Talosconfig == "" {
		if paths, err = clientconfig.GetDefaultPaths(); err != nil {
			return "", nil, fmt.Errorf("talosconfig: %w", err)
		}
	}

	for _, path := range paths {
		text, err := ctxio.ReadFile(ctx, path.Path, ctxio.MaxInput)

		switch {
		case err == nil:
			return path.Path, text, nil
		case c.Talosconfig == "" && errors.Is(err, fs.ErrNotExist):
			continue
		case context.Cause(ctx) != nil:
			return "", nil, context.Cause(ctx)
		default:
			return "", nil, fmt.Errorf("talosconfig: %w", err)
		}
	}

	return "", nil, errors.New("no talosconfig: name one with --talosconfig or TALOSCONFIG")
}
