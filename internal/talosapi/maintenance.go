package talosapi

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/client"
)

// ErrFingerprint tells that what answers in maintenance mode has another certificate than the node.
var ErrFingerprint = errors.New("what answers there has a certificate with another fingerprint than those given")

// Maintenance returns a node that waits for its first config, as it is called then: directly, and without credentials on
// either side. So nothing secret may be asked of it, and what it is given can be read by whoever answers in its place;
// fingerprints, those that the console of the node shows, leave only the node itself. It fails for a node that does not
// answer that way, which one that has a config does not. The caller closes it.
func Maintenance(ctx context.Context, address string, fingerprints ...string) (*Node, error) {
	machinery, err := client.New(ctx, client.WithMaintenanceMode(address, fingerprints), client.WithDefaultGRPCDialOptions())
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", address, err)
	}

	n := &Node{machinery: machinery, address: address, insecure: true}

	if err := n.version(ctx, &State{}); err != nil {
		_ = n.Close()

		if strings.Contains(err.Error(), "match the provided fingerprints") { // as machinery says it, through gRPC
			return nil, ErrFingerprint
		}

		return nil, n.failure(err)
	}

	return n, nil
}

// Machinery returns the client to ask a node in maintenance mode with.
func (n *Node) Machinery() *client.Client { return n.machinery }

// Close ends the calls to a node in maintenance mode.
func (n *Node) Close() error {
	if !n.insecure {
		return nil // the connection is the cluster's
	}

	return n.machinery.Close()
}
