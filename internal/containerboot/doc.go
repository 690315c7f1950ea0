// Package containerboot knows what the programs of the tailscale system extension take: the variables that containerboot reads,
// the flags of tailscale up and of tailscaled, and which of them it refuses together. On the node each fault means a service
// that restarts for ever, so they are found here, before a node has them.
//
// It was read from the source of Tailscale [Version], and testdata says in tables what the programs of that version do: the tests of
// this package hold its code against them, the end-to-end suite in internal/e2e/tailnet the real programs. A variable that it does
// not know, of a later version or of tailscaled's own, is let through; a flag is not, since the programs refuse those that they do
// not know.
package containerboot

// Version is the version of Tailscale whose source the package was read from.
const Version = "1.102.5"
