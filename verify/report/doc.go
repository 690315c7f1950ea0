// Package report holds what a verification found: results of targets, nodes, devices of the tailnet, and the findings over
// all of them. It is the type behind "talos-tsbridge verify -o json".
//
// # How to use
//
// [Check] looks at everything that it is given, for as long as it may, and makes a [Report]:
//
//	check := &report.Check{Checker: checker, Targets: targets, Wait: time.Minute}
//	found, err := check.Run(ctx)
//	if found.Worst() == verify.SeverityFault { ... }
//
// [Read] reads reports that were written by a run in another place, and the log of the Job of [verify.Manifest]; their
// results belong into [Check.Also].
//
// # Stability
//
// The names of JSON fields, the codes of findings and the outcomes of results are stable within a major version: none is
// removed or changes its meaning. New fields, codes and outcomes may be added in a minor version, so a reader ignores
// those that it does not know. The texts (cause, next, detail) may change at any time. The JSON Schema of this version is
// [Schema].
package report
