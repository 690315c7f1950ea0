// Package lab is what the end-to-end suites stand on: a Headscale, network namespaces on a LAN of their own, peers,
// pods, and the programs that are built from Go modules and kept in the user's cache folder.
package lab
