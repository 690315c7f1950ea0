// Package patch makes the Talos machine config patch that puts a node on a tailnet and keeps Kubernetes on its LAN.
//
// The official tailscale system extension is configured by an ExtensionServiceConfig document, whose environment Tailscale's
// containerboot reads on the node. This package composes that document, and those of package nodeip, from options; checks
// them as strictly as containerboot and tailscale up do on the node, where a fault means a service that restarts for
// ever; and writes them as YAML in the form that the version contract of the machine config takes.
//
// Other options add what such a node needs besides: names of the tailnet for its pods, names in its certificate, firewall
// rules. None of them makes a network probe, since the service waits for the network, and a probe of a tailnet address would
// make the network wait for the service.
//
// # How to use
//
// [New] takes options and reports all faults at once. [Patch.Bytes] is for talosctl, [Patch.Documents] for a program with
// a config container of its own, [Patch.Redacted] for people.
//
//	p, err := patch.New(
//		patch.WithAuthKey(key),
//		patch.WithAdvertiseTags("tag:k8s"),
//		patch.WithNodeIPSubnets("192.168.1.0/24"),
//	)
//
// Choices are data too: [Settings] holds all of them, from YAML or JSON, mergeable and comparable; [WithSettings] makes an option of
// it, and [Choices] describes each field. [Patch.WithKey] is the same patch with another key, so that everything is checked before a
// key is made.
//
// # Machine configs
//
// Talos appends the lists of a patch to those of the config, so the bytes of a patch are for a config that does not hold
// one of ours yet; [WithReplace] makes bytes that replace, where Talos can. [Patch.Apply] puts a patch into a config that has been
// parsed by [ParseConfig], on every contract: what was given is changed, everything else keeps its bytes, and only what the config
// does not have gets its default. [WithTarget] tells [New] the config, so that faults of the two together are found at once;
// [WithBase] takes from a config what a patch for others like it has to know.
//
// # Faults and notes
//
// The error of [New] is a [Faults]: each [Fault] has a code and the name of the choice that it lies in. What is worth knowing and no
// fault is a [Note], with a code too. Texts name choices in backquotes, for a caller to write them as its users know them.
//
// # Stability
//
// The same options and contract give the same bytes within a major version, and codes keep their meaning. The texts of errors and
// notes may change. Signatures with types of Talos's machinery follow that module.
//
// # Security
//
// The auth key is in the results of [Patch.Bytes], [Patch.Documents] and [Patch.Apply] and nowhere else: a [Patch] prints without it,
// and errors and notes repeat no value that may be a secret. Talos does not redact it: whoever reads the machine config
// of the node reads the key, so it should be short-lived and single-use.
package patch
