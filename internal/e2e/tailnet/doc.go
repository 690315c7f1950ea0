// Package tailnet proves, with real programs, that a node that starts from our
// patch joins a tailnet as it was asked to.
//
// The tests print a patch with the talos-tsbridge binary, take the environment
// and the config files of its ExtensionServiceConfig document, and start
// containerboot from them the way the tailscale system extension of Talos does.
// The control server is a Headscale. All of these programs are built from Go
// modules and kept in the user's cache folder; E2E_CACHE names another. Package
// lab has what this suite shares with ../node.
//
// # Running
//
//	cd internal/e2e/tailnet && GOWORK=off go test -v -count=1 -timeout 40m ./...
//
// Without -v, go test does not show what was skipped.
//
// As root on Linux, with /dev/net/tun and the programs ip, nsenter, sysctl and
// iptables (Debian: iproute2, util-linux, procps, iptables), each node is a network
// namespace with a kernel TUN and a root filesystem of its own. Namespaces have
// no way out, and the kernel removes them with the test.
//
// Without these, or with E2E_MODE=userspace, nodes are processes on
// loopback in userspace networking mode. What that cannot show is skipped with
// a line that says what and why. E2E_MODE=kernel makes it an error.
//
// # What is shown
//
//   - a node joins with the hostname, the tags and the routes asked, and takes
//     neither routes nor DNS from the tailnet;
//   - with a key file, the key is in no process's arguments or environment;
//   - a restart on kept state outlives a used single-use key, unless
//     auth-once is off;
//   - a pod behind the node's masquerade reaches a peer by its tailnet address;
//   - containerboot exits on each environment that we refuse because it would,
//     and joins with each that we accept;
//   - the flags, and the tables of what the programs take, in package
//     internal/containerboot are those of the programs (TestTables).
package tailnet
