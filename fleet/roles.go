package fleet

import (
	"context"

	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"golang.org/x/sync/errgroup"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// roles returns the roles of all nodes. Where the plan does not say one, the config of the node does: control planes come one
// at a time, whoever calls them so.
func (r *rollout) roles(ctx context.Context) []string {
	var group errgroup.Group

	group.SetLimit(r.up.Parallel)

	roles := make([]string, r.plan.Len())

	for i := range roles {
		roles[i] = r.plan.Role(i)

		switch {
		case roles[i] != "":
		case len(r.planned.Nodes) > 0:
			roles[i] = r.planned.Nodes[i].Role
		default:
			group.Go(func() error {
				roles[i] = r.ask(ctx, i)

				return nil
			})
		}
	}

	_ = group.Wait() // a node that cannot be asked has no role, and is told when its turn comes

	return roles
}

// ask returns the role in the config of a node, or in the one that it is to be installed with; "" where neither can be read.
func (r *rollout) ask(ctx context.Context, i int) string {
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()

	text := []byte(nil)

	if state, err := r.api.Node(r.plan.Node(i).Address).Look(bounded); err == nil {
		text = state.Persisted
	} else if text, err = r.plan.Config(ctx, i); err != nil {
		return ""
	}

	return roleOf(text)
}

// roleOf returns the role in a machine config, "" where it cannot be read.
func roleOf(config []byte) string {
	parsed, err := patch.ParseConfig(config)
	if err != nil {
		return ""
	}

	return parsed.Role().String()
}

func isControlPlane(role string) bool {
	kind, err := machine.ParseType(role)

	return err == nil && kind.IsControlPlane()
}
