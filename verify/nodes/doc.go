// Package nodes asks Talos nodes, through the Talos API, whether they are on the tailnet and still known to Kubernetes by
// their LAN address.
//
// # How to use
//
// An [Inspector] reads what each node says of itself into a [Node], and [Diagnose] says what is wrong with it:
//
//	talos, err := nodes.Connect(ctx, nodes.Connection{})
//	defer talos.Close()
//	inspector := &nodes.Inspector{Client: talos.Client}
//	seen := inspector.Inspect(ctx, talos.Nodes)
//	findings := nodes.Diagnose(seen, nil)
//
// [ParseWanted] reads a patch, so that Diagnose also tells where a node's configuration has drifted from it.
//
// # Stability
//
// The codes of findings and the names of JSON fields are stable within a major version, the texts are not.
//
// # Security
//
// Nothing is changed on a node. Reading the configuration of the extension, which holds the auth key, takes the role
// os:admin; without it, the rest is read and a finding says what was not. The auth key is dropped as soon as it is read: no
// Node holds it.
package nodes
