package nodes

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/types/k8s"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime/extensions"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// Wanted is what a patch says about a node, as far as it can be seen on one.
type Wanted struct {
	// Environment is that of the extension, with the auth key redacted; nil when the patch has none.
	Environment []string
	// NodeIPSubnets and EtcdSubnets are nil where the patch leaves them alone.
	NodeIPSubnets, EtcdSubnets []string
}

// ParseWanted reads a patch as talos-tsbridge prints it, redacted or not, or a whole machine config. It fails for what is
// neither, and its error repeats nothing of it.
func ParseWanted(patch []byte) (*Wanted, error) {
	provider, err := configloader.NewFromBytes(patch, configloader.WithAllowPatchDelete(), configloader.WithNoValidation())
	if err != nil {
		return nil, errors.New("this is no machine config patch: give what talos-tsbridge printed, with or without --redact")
	}

	wanted := &Wanted{}

	for _, document := range provider.Documents() {
		switch document := document.(type) {
		case *extensions.ServiceConfigV1Alpha1:
			if document.ServiceName == extension {
				wanted.Environment = redacted(document.ServiceEnvironment)
			}
		case *k8s.KubeNodeConfigV1Alpha1:
			wanted.NodeIPSubnets = document.NodeIPConfig.NodeIPValidSubnets
		case *v1alpha1.Config:
			if machine := document.MachineConfig; machine != nil && machine.MachineKubelet != nil && machine.MachineKubelet.KubeletNodeIP != nil {
				wanted.NodeIPSubnets = machine.MachineKubelet.KubeletNodeIP.KubeletNodeIPValidSubnets
			}

			if cluster := document.ClusterConfig; cluster != nil && cluster.EtcdConfig != nil {
				wanted.EtcdSubnets = cluster.EtcdConfig.EtcdAdvertisedSubnets
			}
		}
	}

	if wanted.Environment == nil && wanted.NodeIPSubnets == nil && wanted.EtcdSubnets == nil {
		return nil, errors.New("this patch says nothing about the tailscale extension, the node IP or etcd: give what talos-tsbridge printed")
	}

	return wanted, nil
}

// Tags returns the tags that the patch asks for, with "tag:"; none where it leaves them to the auth key.
func (w *Wanted) Tags() []string {
	for argument := range strings.FieldsSeq(lastValues(w.Environment)["TS_EXTRA_ARGS"]) {
		if list, ok := strings.CutPrefix(argument, "--advertise-tags="); ok && list != "" {
			return strings.Split(list, ",")
		}
	}

	return nil
}

// Routes returns the subnets that the patch makes the node offer to route to: none, which is not nil, where it has the
// service and no routes; nil where it leaves the service alone. What is no subnet is left out.
func (w *Wanted) Routes() []netip.Prefix {
	if w.Environment == nil {
		return nil
	}

	values := lastValues(w.Environment)
	routes := []netip.Prefix{}

	for text := range strings.SplitSeq(values["TS_ROUTES"], ",") {
		if route, err := netip.ParsePrefix(text); err == nil {
			routes = append(routes, route)
		}
	}

	if slices.ContainsFunc(strings.Fields(values["TS_EXTRA_ARGS"]), func(argument string) bool {
		return argument == "--advertise-exit-node" || argument == "--advertise-exit-node=true"
	}) {
		routes = append(routes, netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0"))
	}

	return routes
}

// drift lists the differences between what is wanted and what a node has. Keys are not compared: each node has its own,
// and it is used up.
func (w *Wanted) drift(node Node) []string {
	var differences []string

	if w.Environment != nil && node.Environment != nil {
		differences = append(differences, environmentDrift(w.Environment, node.Environment)...)
	}

	if w.NodeIPSubnets != nil && node.NodeIPSubnets != nil && !slices.Equal(w.NodeIPSubnets, node.NodeIPSubnets) {
		differences = append(differences, fmt.Sprintf("the node IP comes from %s instead of %s",
			strings.Join(node.NodeIPSubnets, " "), strings.Join(w.NodeIPSubnets, " ")))
	}

	if w.EtcdSubnets != nil && node.ControlPlane && node.EtcdSubnets != nil && !slices.Equal(w.EtcdSubnets, node.EtcdSubnets) {
		differences = append(differences, fmt.Sprintf("etcd's address comes from %s instead of %s",
			strings.Join(node.EtcdSubnets, " "), strings.Join(w.EtcdSubnets, " ")))
	}

	return differences
}

func environmentDrift(wanted, present []string) []string {
	want, have := lastValues(wanted), lastValues(present)

	var differences []string

	for _, variable := range wanted {
		name, _, _ := strings.Cut(variable, "=")

		value, ok := have[name]

		switch {
		case secret.IsVariable(name):
		case !ok:
			differences = append(differences, name+" is not set")
		case value != want[name]:
			differences = append(differences, fmt.Sprintf("%s is %q instead of %q", name, value, want[name]))
		}
	}

	for _, variable := range present {
		name, _, _ := strings.Cut(variable, "=")

		if _, ok := want[name]; !ok && !secret.IsVariable(name) {
			differences = append(differences, name+" is set and not wanted")
		}
	}

	return slices.Compact(differences)
}

// lastValues returns the values of variables; of one that is there twice, the last wins, as in the service.
func lastValues(environment []string) map[string]string {
	values := map[string]string{}

	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		values[name] = value
	}

	return values
}
