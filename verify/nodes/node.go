package nodes

import (
	"net/netip"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

// Node is what a node says of itself.
type Node struct {
	// Address is what it was asked by, Name its name in Kubernetes.
	Address      string `json:"node"`
	Name         string `json:"name,omitempty"`
	ControlPlane bool   `json:"controlPlane"`
	// Took is how long it took to ask.
	Took verify.Duration `json:"took"`
	// Failure says why the node could not be asked; nothing else is known then.
	Failure string `json:"failure,omitempty"`
	// Unread is what the role of the client may not read, or the node failed to tell.
	Unread []Unread `json:"unread,omitempty"`

	// TalosVersion is the release that the node runs, with v, and Platform where it runs, such as metal.
	TalosVersion string `json:"talosVersion,omitempty"`
	Platform     string `json:"platform,omitempty"`
	// Schematic is the ID of the Image Factory schematic of the image that the node booted, empty where it has none.
	Schematic string `json:"schematic,omitempty"`
	// InstallImage is the image that the config installs, empty where it names none.
	InstallImage string `json:"installImage,omitempty"`
	// Extension is the version of the tailscale extension in the image, empty when it is not there.
	Extension string `json:"extension,omitempty"`
	// Configured reports whether there is an ExtensionServiceConfig document for the extension.
	Configured bool `json:"configured"`
	// Environment is that of the document, in its order and with the auth key redacted; nil when it could not be read.
	Environment []string `json:"environment,omitempty"`
	// Service is that of the extension, nil when there is none.
	Service *Service `json:"service,omitempty"`
	// Log is what the log of the service says about a login that failed. It is read only where the service is not well.
	Log *Log `json:"log,omitempty"`
	// TailnetAddresses are the addresses of the interface tailscale0.
	TailnetAddresses []netip.Addr `json:"tailnetAddresses,omitempty"`
	// NodeIPs are the addresses with which the kubelet registers the node.
	NodeIPs []netip.Addr `json:"nodeIPs,omitempty"`
	// NodeIPSubnets are the validSubnets that they were chosen by, ExcludedSubnets the pods', services' and virtual
	// addresses that are left out.
	NodeIPSubnets   []string `json:"nodeIPSubnets,omitempty"`
	ExcludedSubnets []string `json:"excludedSubnets,omitempty"`
	// EtcdAddresses are what etcd advertises, EtcdSubnets what they were chosen by; for control planes.
	EtcdAddresses []netip.Addr `json:"etcdAddresses,omitempty"`
	EtcdSubnets   []string     `json:"etcdSubnets,omitempty"`
}

// Service is the state of the extension's service.
type Service struct {
	// State is Talos's word for it: Running, Waiting, Preparing, Failed, Finished and others.
	State string `json:"state"`
	// For is how long it has been in the state.
	For verify.Duration `json:"for"`
	// Restarts counts how often it failed and was started again, as far back as Talos remembers, which is some sixty events.
	// That it was started again for a changed document does not count.
	Restarts int `json:"restarts"`
	// Message is that of the last event.
	Message string `json:"message,omitempty"`
}

// Hostname returns the name under which the node registers in the tailnet, as far as it is known: that of its document, or
// else its name in Kubernetes, which normally is its hostname.
func (n Node) Hostname() string {
	if name := lastValues(n.Environment)["TS_HOSTNAME"]; name != "" {
		return name
	}

	return n.Name
}

func (n Node) label() string {
	if n.Name != "" && n.Name != n.Address {
		return n.Address + " (" + n.Name + ")"
	}

	return n.Address
}
