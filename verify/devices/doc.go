// Package devices looks nodes up in the tailnet, through the Tailscale API: whether each is there, once, authorised,
// connected and for good, and whether auth keys were left behind.
//
// # How to use
//
//	tailnet, err := devices.Fetch(ctx, minter, mint.DefaultDescription)
//	findings := devices.Diagnose(tailnet, []devices.Expected{{Name: "lab-worker-1", Tags: []string{"tag:k8s"}}}, time.Now())
//
// # Stability
//
// The codes of findings and the names of JSON fields are stable within a major version, the texts are not.
//
// # Security
//
// Nothing is changed in the tailnet. The credential needs to read devices and auth keys: the scopes devices:core:read and
// auth_keys:read of an OAuth client. No auth key can be read that way, only that there is one.
package devices
