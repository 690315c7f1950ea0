package fleet

import (
	"context"
	"net/netip"
	"slices"

	"github.com/siderolabs/go-pointer"
	"golang.org/x/sync/errgroup"

	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

// Discovered is a node as it is found.
type Discovered struct {
	Node
	// LAN is the subnet of its address, not valid where it does not say.
	LAN netip.Prefix
	// Refused are what its config says of the tailnet and a file cannot say: fields, variables and arguments of the service.
	Refused []string
	// Waiting tells that it is in maintenance mode.
	Waiting bool
	// Failure says why it could not be asked.
	Failure string
}

// Discover asks the nodes of a connection what they are: names, roles, addresses and what their configs say of the tailnet.
// It returns them in the order of their addresses in the connection.
func Discover(ctx context.Context, connection nodes.Connection) ([]Discovered, error) {
	api, err := talosapi.Connect(ctx, talosapi.Connection(connection))
	if err != nil {
		return nil, err
	}

	defer func() { _ = api.Close() }() // nothing is lost with it

	var (
		found = make([]Discovered, len(api.Nodes()))
		group errgroup.Group
	)

	group.SetLimit(DefaultParallel)

	for i, address := range api.Nodes() {
		group.Go(func() error {
			found[i] = discover(ctx, api, address)

			return nil
		})
	}

	_ = group.Wait() // what failed is in the nodes

	return found, nil
}

func discover(ctx context.Context, api *talosapi.Client, address string) Discovered {
	c := &converge{up: &Up{}, node: &Node{Address: address}, api: api, stage: func(*Node, string) {}}
	found := Discovered{Node: Node{Address: address}}

	state, waiting, err := c.look(ctx)
	if err != nil {
		found.Failure = err.Error()

		return found
	}

	found.Name = state.Hostname
	found.Address = lanAddress(state, address)
	found.LAN = lanOf(state, found.Address)

	if waiting != nil {
		_ = waiting.Close()
		found.Waiting = true

		return found
	}

	found.Settings, found.Refused = accepted(settingsOf(readTree(state.Persisted)))

	if config, err := patch.ParseConfig(state.Persisted); err == nil {
		found.Settings.Role = pointer.To(config.Role().String())
	}

	return found
}

// lanAddress returns the address that a node is called by, and where that is one of the tailnet, another one that it has: it has
// the first only as long as it is there.
func lanAddress(state *talosapi.State, address string) string {
	ofTailnet := tailaddr.Contains

	parsed, err := netip.ParseAddr(address)
	if err != nil || !ofTailnet(parsed) {
		return address
	}

	for _, other := range slices.Concat(state.NodeIPs, state.Addresses) {
		if !ofTailnet(other) {
			return other.String()
		}
	}

	return address
}

// lanOf returns the subnet that an address of the node is in.
func lanOf(state *talosapi.State, address string) netip.Prefix {
	wanted, err := netip.ParseAddr(address)

	for _, prefix := range state.Prefixes {
		if err == nil && prefix.Addr() == wanted || err != nil && slices.Contains(state.NodeIPs, prefix.Addr()) {
			return prefix.Masked()
		}
	}

	return netip.Prefix{}
}
