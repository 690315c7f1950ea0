// Package tailnet is a tailnet through the API of Tailscale, or of a Headscale server: its auth keys and its devices.
//
// # How to use
//
// A [Client] takes a [Credential] and answers for one tailnet. [FromEnv] makes one of the environment variables in use.
//
//	client, err := tailnet.FromEnv(os.LookupEnv)
//	devices, err := client.DevicesTagged(ctx, "tag:vault")
//
// Keys are made by package authkey/mint, which takes care that each is delivered or revoked; [Client.CreateKey] is what it
// stands on. Package tailnettest stands in for the API in tests, faults included.
//
// # Devices
//
// A node that lost its state registers again, under a name with a number. [Client.ReplaceDevice] removes what is left of it
// before it joins, and [Client.RestoreName] gives it its name back afterwards. What they and [Client.RemoveDevice] must not
// remove, a [GuardError] tells of: a device that is connected by the server's clock, shared, or something else under the name.
//
// # Errors
//
// A call that failed is an [Error] with a [Reason], on which programs branch:
//
//	if tailnet.Is(err, tailnet.ReasonTagsRefused) { ... }
//
// Its text names the request, the status and what to do.
//
// # Stability
//
// Reasons, guards and the names of variables and JSON fields are stable within a major version; the texts of errors and of
// [EnvUsage] are not.
//
// # Security
//
// The credential needs no more than it is used for: auth_keys, writable, to make keys; devices:core to remove devices, and
// devices:core:read to list them. It may come from a file or a program, so that no variable holds it: see [APIToken].
//
// A [Credential] prints as "[redacted]" everywhere and cannot be read back. No error repeats what was sent as a credential,
// also where the server does. Redirects are not followed, so a credential goes to no other host.
package tailnet
