package patch

import (
	"github.com/siderolabs/talos/pkg/machinery/config/types/k8s"
	"github.com/siderolabs/talos/pkg/machinery/config/types/network"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime/extensions"

	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
)

// owned is everything in a machine config that a patch may change, add or remove, and what has to be asked for to have it
// changed. [Patch.Apply] proves of each result that nothing else differs: a field that is missing here cannot be changed.
var owned = []struct {
	isAsked func(*Patch) bool
	fields  []machineconfig.Field
}{
	{
		// the service: its environment by name, its config files by mount path
		isAsked: func(p *Patch) bool { return !p.additionsOnly },
		fields:  []machineconfig.Field{wholeDocument(extensions.ServiceConfigKind, ServiceName)},
	},
	{
		// the node IP of the kubelet
		isAsked: func(p *Patch) bool { return !p.nodeIP.IsEmpty() || p.subnets.nodeIP != nil || p.subnets.removeNodeIP },
		fields: []machineconfig.Field{
			documentField(k8s.KubeNodeConfig, "nodeIP", "validSubnets"),
			legacyField("machine", "kubelet", "nodeIP", "validSubnets"),
		},
	},
	{
		// the addresses that etcd advertises
		isAsked: func(p *Patch) bool { return !p.etcd.IsEmpty() || p.subnets.removeEtcd },
		fields:  []machineconfig.Field{legacyField("cluster", "etcd", "advertisedSubnets")},
	},
	{
		// static hosts, by name
		isAsked: func(p *Patch) bool { return len(p.node.hosts) > 0 },
		fields: []machineconfig.Field{
			wholeDocument(network.StaticHostKind, "*"),
			legacyField("machine", "network", "extraHostEntries"),
		},
	},
	{
		// the nameservers
		isAsked: func(p *Patch) bool { return len(p.node.nameservers) > 0 },
		fields: []machineconfig.Field{
			documentField(network.ResolverKind, "nameservers"),
			legacyField("machine", "network", "nameservers"),
		},
	},
	{
		// names in the certificate of the Talos API, to which more are added
		isAsked: func(p *Patch) bool { return len(p.node.certSANs) > 0 },
		fields:  []machineconfig.Field{growing(legacyField("machine", "certSANs"))},
	},
	{
		// names in the certificate of the Kubernetes API, to which more are added
		isAsked: func(p *Patch) bool { return len(p.node.apiServerSANs) > 0 },
		fields: []machineconfig.Field{
			growing(documentField(k8s.KubeAPIServerConfig, "certExtraSANs")),
			growing(legacyField("cluster", "apiServer", "certSANs")),
		},
	},
	{
		// the rules of the firewall that have our names
		isAsked: func(p *Patch) bool { return p.node.firewallPort != 0 || p.node.kubernetesRule },
		fields:  []machineconfig.Field{wholeDocument(network.RuleConfigKind, "tailnet-*")},
	},
	{
		// the addresses that KubeSpan uses
		isAsked: func(p *Patch) bool { return p.node.kubeSpanFilter },
		fields: []machineconfig.Field{
			documentField(network.KubeSpanKind, "filters", "endpoints"),
			legacyField("machine", "network", "kubespan", "filters", "endpoints"),
		},
	},
	{
		// forwarding, for routes to IPv6
		isAsked: func(p *Patch) bool { return p.node.forwardIPv6 },
		fields: []machineconfig.Field{
			documentField(runtime.SysctlConfigKind, "params", forwardingSysctl),
			legacyField("machine", "sysctls", forwardingSysctl),
		},
	},
	{
		// the installer image
		isAsked: func(p *Patch) bool { return p.node.installImage != "" },
		fields: []machineconfig.Field{
			documentField(runtime.UnattendedInstallConfigKind, "installer", "image"),
			legacyField("machine", "install", "image"),
		},
	},
}

// owned returns the fields that the patch may change.
func (p *Patch) owned() []machineconfig.Field {
	var fields []machineconfig.Field

	for _, part := range owned {
		if part.isAsked(p) {
			fields = append(fields, part.fields...)
		}
	}

	return fields
}

// wholeDocument is a document that is ours as a whole.
func wholeDocument(kind, name string) machineconfig.Field {
	return machineconfig.Field{Kind: kind, Name: name}
}

// documentField is a field of the only document of a kind.
func documentField(kind string, path ...string) machineconfig.Field {
	return machineconfig.Field{Kind: kind, Path: path}
}

// legacyField is a field of the v1alpha1 config.
func legacyField(path ...string) machineconfig.Field {
	return machineconfig.Field{Kind: machineconfig.Legacy, Path: path}
}

// growing is a list of which nothing is removed.
func growing(f machineconfig.Field) machineconfig.Field {
	f.Grows = true

	return f
}
