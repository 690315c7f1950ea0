// Package authkey holds the Tailscale auth key between the place it comes from and the document that carries it to a
// node, without letting it out anywhere in between.
//
// # How to use
//
// [Parse] turns text into a [Key]; [Source] reads one from where the user keeps it: an environment variable, a file,
// standard input. A Key goes to patch.WithAuthKey, and that is normally the last an importer sees of it.
//
//	key, err := authkey.Parse(os.Getenv("TS_AUTHKEY"))
//
// # Minting
//
// A [Minter] makes a key through the API of Tailscale or a Headscale server, single-use and valid for an hour unless its
// [Options] say otherwise, and takes it back. [MinterFromEnv] makes one of the environment variables in use.
//
//	minter, err := authkey.MinterFromEnv(os.LookupEnv)
//	minted, err := minter.Mint(ctx, authkey.Options{Tags: []string{"tag:k8s"}})
//
// [Devices] looks up devices with the same credentials, for their names and addresses. Package authkeytest stands in for the API in tests.
//
// # Security
//
// The only way to the secret is [Key.Reveal]. A Key prints as "[redacted]" under every fmt verb, in slog records and in
// JSON, YAML, TOML and XML, also as a field of another struct, exported or not. Printers that walk unexported fields
// by reflection (go-spew, and through it testify's failure messages) find a function, not a string. No error of this
// package repeats any part of what it was given, since a malformed key is usually a real key with a typing error.
//
// Go cannot wipe a string from memory, so a Key lives as long as the process keeps a reference to it.
//
// # Stability
//
// The names of sources and the texts of [Redacted] are stable within a major version; the texts of errors are not.
package authkey
