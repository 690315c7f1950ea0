package fleet

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/siderolabs/go-pointer"
	"golang.org/x/sync/errgroup"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

// Endpoint is how a node is called over the tailnet.
type Endpoint struct {
	// Node is the node's name in the plan, Address its address there.
	Node, Address string
	// ControlPlane tells that it passes calls on to other nodes; a worker answers for itself alone.
	ControlPlane bool
	// Host is its name in MagicDNS where the certificate of its Talos API has that, and else its address in the tailnet;
	// empty where it is not on the tailnet.
	Host string
	// Failure says why the node could not be asked.
	Failure string
}

// Endpoints asks the nodes of a plan how they are called over the tailnet, in the order of the plan.
func Endpoints(ctx context.Context, connection nodes.Connection, plan *Plan) ([]Endpoint, error) {
	api, err := talosapi.Connect(ctx, talosapi.Connection(connection))
	if err != nil {
		return nil, err
	}

	defer func() { _ = api.Close() }() // nothing is lost with it

	var (
		found = make([]Endpoint, plan.Len())
		group errgroup.Group
	)

	group.SetLimit(DefaultParallel)

	for i := range plan.Len() {
		group.Go(func() error {
			found[i] = endpointOf(ctx, api, plan, i)

			return nil
		})
	}

	_ = group.Wait() // what failed is in the endpoints

	return found, context.Cause(ctx)
}

func endpointOf(ctx context.Context, api *talosapi.Client, plan *Plan, i int) Endpoint {
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()

	node := plan.Node(i)
	endpoint := Endpoint{Node: node.Name, Address: node.Address}

	state, err := api.Node(node.Address).Look(bounded)
	if err != nil {
		endpoint.Failure = err.Error()

		return endpoint
	}

	config, err := patch.ParseConfig(state.Active)
	if err != nil {
		endpoint.Failure = err.Error()

		return endpoint
	}

	endpoint.ControlPlane = config.Role().IsControlPlane()

	if len(state.TailnetAddresses) == 0 {
		endpoint.Failure = "is not on the tailnet: talos-tsbridge up brings it there"

		return endpoint
	}

	endpoint.Host = hostOf(state.TailnetAddresses, config, environmentOf(state.Active)["TS_HOSTNAME"], pointer.SafeDeref(plan.Settings(i).MagicDNSDomain))

	return endpoint
}

// hostOf returns the node's name in MagicDNS where it is in the certificate of its Talos API, and else its first address.
func hostOf(addresses []netip.Addr, config *patch.Config, hostname, domain string) string {
	var names []string
	if machine := config.Provider().Machine(); machine != nil {
		names = machine.Security().CertSANs()
	}

	for _, name := range names {
		first, rest, _ := strings.Cut(name, ".")
		if strings.EqualFold(first, hostname) && rest != "" && (strings.EqualFold(rest, domain) || strings.HasSuffix(rest, ".ts.net")) {
			return name
		}
	}

	first := addresses[0]
	if i := slices.IndexFunc(addresses, netip.Addr.Is4); i >= 0 {
		first = addresses[i]
	}

	return first.String()
}
