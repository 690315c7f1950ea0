package nodes

import (
	"context"

	"github.com/siderolabs/talos/pkg/machinery/client"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
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

// Talos is a connection to the Talos API of a cluster.
type Talos struct {
	// Client is what [Inspector.Client] takes. It is of Talos's machinery and changes with it.
	Client *client.Client
	// Nodes are those of the [Connection], or of its context, or else its endpoints.
	Nodes []string
}

// Connect reads the client configuration and makes a client of it. Nothing is sent yet. The caller closes the connection.
func Connect(ctx context.Context, connection Connection) (*Talos, error) {
	api, err := talosapi.Connect(ctx, talosapi.Connection(connection))
	if err != nil {
		return nil, err
	}

	return &Talos{Client: api.Machinery(), Nodes: api.Nodes()}, nil
}

// Close ends the calls over the connection.
func (t *Talos) Close() error { return t.Client.Close() }
