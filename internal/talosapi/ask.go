package talosapi

import (
	"context"
	"net/netip"
	"slices"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
)

// What follows asks a node one thing each. Their errors are those of the calls, as [Unwrap] and [IsAbsent] take them; what a node does
// not have, or its Talos does not know, is no error and empty.

// Release is the Talos that a node runs.
type Release struct {
	// Version has its v, Platform is where it runs, such as metal.
	Version, Platform string
	// Container tells that it runs as a container.
	Container bool
}

// Release asks which Talos the node runs.
func (n *Node) Release(ctx context.Context) (release Release, err error) {
	answer, err := n.machinery.Version(n.in(ctx))

	for _, message := range answer.GetMessages() {
		release = Release{
			Version: message.GetVersion().GetTag(), Platform: message.GetPlatform().GetName(), Container: message.GetPlatform().GetMode() == "container",
		}
	}

	return release, err
}

// Extensions asks what is in the image that the node booted: the version of the tailscale extension, which is "unknown" where it says
// none, and the ID of the image's schematic.
func (n *Node) Extensions(ctx context.Context) (tailscale, schematic string, err error) {
	err = n.list(ctx, extensionStatus, func(answer resource.Resource) error {
		var spec struct {
			Metadata struct {
				Name    string `yaml:"name"`
				Version string `yaml:"version"`
			} `yaml:"metadata"`
		}

		if err := ReadSpec(answer, &spec); err != nil {
			return err
		}

		switch spec.Metadata.Name {
		case extension:
			if tailscale = spec.Metadata.Version; tailscale == "" {
				tailscale = "unknown"
			}
		case "schematic":
			schematic = spec.Metadata.Version
		}

		return nil
	})

	return tailscale, schematic, err
}

// Addresses asks for the addresses of the node, with the lengths of their subnets, and for those that it has in the tailnet, sorted.
func (n *Node) Addresses(ctx context.Context) (own []netip.Prefix, tailnet []netip.Addr, err error) {
	err = n.list(ctx, addressStatus, func(answer resource.Resource) error {
		var spec struct {
			Address  netip.Prefix `yaml:"address"`
			LinkName string       `yaml:"linkName"`
		}

		if err := ReadSpec(answer, &spec); err != nil {
			return err
		}

		switch address := spec.Address.Addr(); {
		case address.IsLinkLocalUnicast():
		case spec.LinkName == tunnel:
			tailnet = append(tailnet, address)
		case !address.IsLoopback():
			own = append(own, spec.Address)
		}

		return nil
	})

	slices.SortFunc(tailnet, netip.Addr.Compare)

	return own, tailnet, err
}

// NodeIPs asks for the addresses with which the kubelet registers the node.
func (n *Node) NodeIPs(ctx context.Context) ([]netip.Addr, error) {
	var spec struct {
		Addresses []netip.Addr `yaml:"addresses"`
	}

	err := n.get(ctx, kubeletNodeIP, &spec)

	return spec.Addresses, err
}

// NodeIPSubnets asks what these addresses are chosen by, and what they may not be in.
func (n *Node) NodeIPSubnets(ctx context.Context) (valid, excluded []string, err error) {
	var spec struct {
		Valid    []string `yaml:"validSubnets"`
		Excluded []string `yaml:"excludeSubnets"`
	}

	err = n.get(ctx, kubeletNodeRules, &spec)

	return spec.Valid, spec.Excluded, err
}

// Service asks for the service of the extension, which is nil where there is none.
func (n *Node) Service(ctx context.Context) (service *machine.ServiceInfo, err error) {
	answer, err := n.machinery.ServiceList(n.in(ctx))

	for _, message := range answer.GetMessages() {
		for _, info := range message.GetServices() {
			if info.GetId() == ServiceName {
				service = info
			}
		}
	}

	return service, err
}
