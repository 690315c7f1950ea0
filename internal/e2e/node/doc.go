// Package node proves, on real Talos nodes, what the project says about them.
//
// The nodes are Talos's own machined, apid and trustd in container mode, with
// the real containerboot as the service of the tailscale extension, on a LAN
// with a Headscale. They are driven with the real talosctl and our own binary.
// All of it is built from Go modules into the user's cache folder, which takes
// ten minutes once; only containerd, runc, ip and iptables are the machine's.
//
// # Running
//
//	cd internal/e2e/node && GOWORK=off go test -v -count=1 -timeout 40m ./...
//
// It needs root on Linux, /dev/net/tun, cgroups of version 2 and, beside what
// ../tailnet needs, Debian's containerd and runc. Elsewhere it is skipped, with
// a line that says what is missing. Each node has namespaces of its own and
// ends with the test; that the machine's settings, mounts and cgroups are as
// before is asserted at the end.
//
// # What is not as on metal
//
//   - An extension's service follows its document on metal, but not in container
//     mode: one early return of one controller is taken out of the copy of
//     Talos's source that is built (followDocument).
//   - Nothing is installed to a disk or upgraded: there is no disk, and what a
//     container would install is its own image.
//   - etcd and the kubelet wait for images that cannot be had. What Talos decides
//     for them, such as addresses and arguments, is in its resources.
package node
