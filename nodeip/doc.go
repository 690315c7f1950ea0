// Package nodeip keeps the kubelet and etcd of a Talos node on the node's LAN addresses once the node has a tailnet
// address too.
//
// Talos excludes neither the tailnet's ranges nor the interface tailscale0 when it picks the node IP of the kubelet or
// the address that etcd advertises. It sorts the addresses of the node and takes the first of each family, and
// 100.64.0.0/10 sorts before 172.16.0.0/12 and 192.168.0.0/16: a node on such a LAN registers with its 100.x address
// as soon as it has one. A list of subnets, validSubnets in Talos, narrows the choice.
//
// # How to use
//
// [Parse] checks a list of subnets and completes it, [Default] is the list for an IPv4 cluster. [Subnets.Bytes] makes a patch of it,
// [Subnets.Document] and [Subnets.EtcdDocument] Talos's own typed documents, and [Pick] shows which addresses Talos would take.
//
//	subnets, err := nodeip.Parse("192.168.1.0/24")
//	text, err := subnets.Bytes(config.TalosVersion1_14)
//
// # Stability
//
// The same subnets give the same documents within a major version.
package nodeip
