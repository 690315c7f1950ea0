package talosapi

import (
	"slices"

	"github.com/siderolabs/talos/pkg/machinery/client"
)

// Client asks the nodes of a cluster through its endpoints. Several calls may be made at a time.
type Client struct {
	machinery *client.Client
	nodes     []string
}

// New makes a client of machinery's, for these nodes.
func New(machinery *client.Client, nodes ...string) *Client {
	return &Client{machinery: machinery, nodes: slices.Clone(nodes)}
}

// Nodes returns the nodes that the connection names: those of [Connection.Nodes], or else of its context, or else its
// endpoints.
func (c *Client) Nodes() []string { return slices.Clone(c.nodes) }

// Machinery returns the client that makes the calls.
func (c *Client) Machinery() *client.Client { return c.machinery }

// Close closes the connection, and ends the calls over it.
func (c *Client) Close() error { return c.machinery.Close() }
