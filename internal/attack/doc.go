// Package attack runs the program in bad surroundings: an API that lies, stalls and breaks off, signals at any moment,
// readers that go or never come, disks that are full. It is no part of the product.
//
// Each area is a test that prints one line, as a row of a table:
//
//	area | runs | panics | hangs | leaks | orphans | lost
//
// A panic is a trace of the Go runtime; a hang a run that takes longer than a minute; a leak a credential or key where it
// does not belong; an orphan a key that was made, that nobody got, and that was neither revoked nor named; lost is a result
// that is not what the exit code says. What judges shares no code with the product: the server counts its own keys, and
// talosctl itself says what it takes.
//
// A short run is part of go test. A long one, of the same attacks, is
//
//	go test ./internal/attack -attack.runs 20000 -attack.parallel 8 -attack.seed 0 -attack.talosctl talosctl -timeout 0
//
// The attacks are the same each time, and others with another -attack.seed: 0 takes a new one and prints it.
package attack
