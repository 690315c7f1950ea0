// Package authkey holds the Tailscale auth key between the place it comes from and the document that carries it to a
// node, without letting it out anywhere in between. It knows no network, and imports nothing beyond Go's own library and
// golang.org/x/sys.
//
// # How to use
//
// [Parse] turns text into a [Key]. A [Source] says where the user keeps one: an environment variable, a file, standard
// input, or a program that knows it, such as a password manager.
//
//	source, err := authkey.ParseSource("file:/run/secrets/ts_authkey")
//	key, err := source.Read(ctx, authkey.Input{})
//
// A Key goes to patch.WithAuthKey, and that is normally the last a program sees of it. Package mint makes keys through the
// API of a tailnet and revokes those that were not delivered.
//
// # Stability
//
// The texts that [ParseSource] reads and the text of [Redacted] are stable within a major version; the texts of errors and
// of [SourceUsage] are not.
//
// # Security
//
// What is plainly no key is refused rather than sent to a node: a reference that nothing resolved, a line of an environment
// file, a key of another kind. A program that is asked for a key runs without a shell, without keys and API credentials in
// its environment, and bounded in time and output.
//
// The only way to the secret is [Key.Reveal]. A Key prints as "[redacted]" under every fmt verb, in slog records and in
// JSON, YAML, TOML and XML, also as a field of another struct, exported or not. Printers that walk unexported fields
// by reflection (go-spew, and through it testify's failure messages) find a function, not a string. No error of this
// package repeats any part of what it was given, since a malformed key is usually a real key with a typing error.
//
// Keys are compared with [Key.Equal], also in tests.
//
// Go cannot wipe a string from memory, so a Key lives as long as the process keeps a reference to it.
package authkey
