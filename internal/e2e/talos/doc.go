// Package talos proves that every supported Talos takes our patches.
//
// The tests compile one small program, the probe, against the machinery of each
// supported Talos minor. The probe loads a patch with that release's own
// loader, applies it to configs of its own generator, and has its own
// validation judge the result, for both roles, once and a second time. The
// patches are the golden files of the patch package, so what is proved is what
// we print.
//
// What Talos refuses is asserted as well: it is what our choice of documents
// rests on.
//
// # Running
//
//	cd internal/e2e/talos && GOWORK=off go test -v -count=1 -timeout 40m ./...
//
// The matrix is printed at the end, and with -matrix FILE written to a file as
// a Markdown table. The probes and the generated configs are kept in the user's
// cache folder; E2E_CACHE names another. -golden DIR takes the patches
// from elsewhere.
//
// # A new Talos
//
// A file machinery/vX.Y.Z.mod, and its .sum, is a release to prove against:
// copy the newest, change the version, and run
//
//	GOWORK=off go mod tidy -modfile=machinery/vX.Y.Z.mod
package talos
