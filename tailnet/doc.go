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
// Reasons and the names of variables and JSON fields are stable within a major version; the texts of errors and of
// [EnvUsage] are not.
//
// # Security
//
// A [Credential] prints as "[redacted]" everywhere and cannot be read back. No error repeats what was sent as a credential,
// also where the server does. Redirects are not followed, so a credential goes to no other host.
package tailnet
