package verify

import (
	"slices"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
)

// Severity is how much a [Finding] matters.
type Severity string

// The severities.
const (
	// SeverityFault: something does not work.
	SeverityFault Severity = "fault"
	// SeverityWarning: it works, and will not for long or not for everyone.
	SeverityWarning Severity = "warning"
	// SeverityUnknown: it could not be looked at.
	SeverityUnknown Severity = "unknown"
)

// severities are all of them, that which weighs most first.
var severities = []Severity{SeverityFault, SeverityUnknown, SeverityWarning}

// Code names a cause. It is what a program branches on.
type Code string

// Finding is one cause and what to do about it.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	// Subjects are what it was found on: targets, nodes or devices.
	Subjects []string `json:"subjects"`
	// Cause is one sentence, without a full stop.
	Cause string `json:"cause"`
	// Next is what to do: each element is one step or, where the first says so, one of several ways.
	Next []string `json:"next"`
}

// Merge puts findings together that differ in their subjects only. It keeps the order in which causes turn up, and puts
// faults before what could not be seen, and that before warnings.
func Merge(findings []Finding) []Finding {
	var merged []Finding

	for _, finding := range findings {
		i := slices.IndexFunc(merged, func(other Finding) bool {
			return other.Code == finding.Code && other.Severity == finding.Severity && other.Cause == finding.Cause && slices.Equal(other.Next, finding.Next)
		})
		if i < 0 {
			finding.Subjects = slices.Clone(finding.Subjects)
			merged = append(merged, finding)

			continue
		}

		for _, subject := range finding.Subjects {
			if !slices.Contains(merged[i].Subjects, subject) {
				merged[i].Subjects = append(merged[i].Subjects, subject)
			}
		}
	}

	slices.SortStableFunc(merged, func(a, b Finding) int {
		return slices.Index(severities, a.Severity) - slices.Index(severities, b.Severity)
	})

	return merged
}

// String returns the finding in one printable line: its subjects, the cause, and the next steps. The fields themselves hold
// what servers said as they said it.
func (f Finding) String() string {
	return printable.Line(strings.Join(f.Subjects, ", ") + ": " + f.Cause + ": " + strings.Join(f.Next, "; "))
}

// Worst returns the severity that weighs most: a fault before what is unknown, and that before a warning; "" without
// findings.
func Worst(findings []Finding) Severity {
	for _, severity := range severities {
		if slices.ContainsFunc(findings, func(f Finding) bool { return f.Severity == severity }) {
			return severity
		}
	}

	return ""
}
