// Package tools proves that the programs which docs/tools.md names take our patches in the way that it writes: with the types of those programs
// that are Go modules, Omni and Pulumi. What each makes of a patch goes through Talos's own loader once more.
//
// # Running
//
//	cd internal/e2e/tools && GOWORK=off go test -v -count=1 ./...
package tools
