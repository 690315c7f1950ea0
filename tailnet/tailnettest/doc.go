// Package tailnettest is a server that behaves as the part of Tailscale's API that is about auth keys and devices, for
// tests of programs that use it. It runs in the test's process, listens on the loopback interface only, and keeps
// everything in memory.
//
// # How to use
//
//	server := tailnettest.NewServer(t)
//	credential := server.AddOAuthClient(tailnettest.OAuthClient{Tags: []string{"tag:k8s"}})
//
// Run the program under test with [Server.Environ] of the credential, then look at [Server.LiveKeys], which is what was
// left behind, and [Server.Requests]. [Server.Fail] makes requests fail in the ways
// in which networks, proxies and rate limits do. [Server.Register] uses a key as a node does.
//
// # What it answers
//
// Endpoints, parameters and bodies are those that the official Go client (tailscale.com/client/tailscale/v2) calls and
// decodes:
//
//	POST   /api/v2/oauth/token                    client ID and secret, in the header or in the form
//	POST   /api/v2/oauth/token-exchange           client ID and identity token, in the form
//	POST   /api/v2/tailnet/{tailnet}/keys
//	GET    /api/v2/tailnet/{tailnet}/keys
//	GET    /api/v2/tailnet/{tailnet}/keys/{id}
//	DELETE /api/v2/tailnet/{tailnet}/keys/{id}
//	GET    /api/v2/tailnet/{tailnet}/devices
//	GET    /api/v2/device/{id}
//	DELETE /api/v2/device/{id}
//	POST   /api/v2/device/{id}/name
//	GET    /api/v2/tailnet/{tailnet}/acl          once SetTagOwners was called
//
// The rules come from Tailscale's documentation of the API and from what its users reported: a list holds the IDs of
// active keys and API access tokens and nothing else ([Server.ListWholeKeys] makes it Headscale's, which has
// everything); a key expires after 90 days unless the request says less; a description has at most 50 letters, digits,
// hyphens and spaces; a key made by an OAuth client has exactly the client's tags, or tags that those own. These answers
// have the real API's own texts:
//
//	400 requested tags [tag:x] are invalid or not permitted
//	400 tailnet-owned auth key must have tags set
//	401 API token invalid
//	403 calling actor does not have enough permissions to perform this function
//
// [Server.BehaveAsHeadscale] makes them those that a Headscale 0.30 gave. All other texts are this package's. A revoked key is
// not found any more (404); one that expired or was used up is found and invalid.
//
// # Stability
//
// The server follows the real API: its answers change when that does. The Go API is stable within a major version.
package tailnettest
