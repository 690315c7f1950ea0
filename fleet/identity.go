package fleet

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
)

// checkAddress refuses a node whose address does not lead to it alone: what is sent there would reach whichever node has it.
func (c *converge) checkAddress(state *talosapi.State) *Refusal {
	const next = "write an address that is the node's own: talosctl get addresses lists them"

	if address, err := netip.ParseAddr(c.node.Address); err == nil && isVirtual(address, state.Excluded) {
		return refuse(CodeAddress, fmt.Sprintf("%s is the virtual address of the cluster, which moves from one control plane to another", address), next)
	}

	if other := c.claim(machineOf(state), c.node.Name); other != c.node.Name {
		return refuse(CodeAddress, fmt.Sprintf("%s leads to the node that is reached for %s too (%s)", c.node.Address, other, joinAddresses(state.Addresses)), next)
	}

	return nil
}

// isVirtual reports whether an address is among the subnets that the kubelet may not take its own from: beside those of pods and services,
// these are the virtual addresses of the node.
func isVirtual(address netip.Addr, excluded []string) bool {
	return slices.ContainsFunc(excluded, func(text string) bool {
		subnet, err := netip.ParsePrefix(text)

		return text == address.String() || err == nil && subnet.IsSingleIP() && subnet.Addr() == address
	})
}

// machineOf tells a node from all others of its cluster: by its addresses, of which one at least no other has. It is "" for a node that
// does not say any.
func machineOf(state *talosapi.State) string {
	texts := make([]string, len(state.Addresses))
	for i, address := range state.Addresses {
		texts[i] = address.String()
	}

	slices.Sort(texts)

	return strings.Join(slices.Compact(texts), " ")
}

// claim returns the node of the plan that was the first to lead to a machine.
func (r *rollout) claim(machine, node string) string {
	if machine == "" {
		return node
	}

	r.guard.Lock()
	defer r.guard.Unlock()

	if other, taken := r.machines[machine]; taken {
		return other
	}

	r.machines[machine] = node

	return node
}
