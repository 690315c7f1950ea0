package fleet

import "github.com/siderolabs/talos/pkg/machinery/config/machine"

// lacksRoles reports whether the order of the nodes is not known before their configs are: control planes come one at a time,
// whoever calls them so.
func (p *Plan) lacksRoles() bool {
	for i := range p.nodes {
		if len(p.nodes) > 1 && p.Role(i) == "" {
			return true
		}
	}

	return false
}

// role returns the role of a node, "" where neither the plan nor its config says it.
func (r *rollout) role(i int) string {
	if role := r.plan.Role(i); role != "" || len(r.planned.Nodes) == 0 {
		return role
	}

	return r.planned.Nodes[i].Role
}

func isControlPlane(role string) bool {
	kind, err := machine.ParseType(role)

	return err == nil && kind.IsControlPlane()
}
