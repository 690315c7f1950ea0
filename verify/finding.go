package verify

import (
	"slices"
	"strings"
)

// Severity is how much a [Finding] matters.
type Severity string

// The severities.
const (
	// Fault: something does not work.
	Fault Severity = "fault"
	// Warning: it works, and will not for long or not for everyone.
	Warning Severity = "warning"
	// Unseen: it could not be looked at.
	Unseen Severity = "unseen"
)

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

	order := []Severity{Fault, Unseen, Warning}
	slices.SortStableFunc(merged, func(a, b Finding) int {
		return slices.Index(order, a.Severity) - slices.Index(order, b.Severity)
	})

	return merged
}

// String returns the finding in one line: its subjects, the cause, and the next steps.
func (f Finding) String() string {
	return strings.Join(f.Subjects, ", ") + ": " + f.Cause + ": " + strings.Join(f.Next, "; ")
}
