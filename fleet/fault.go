package fleet

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is something wrong with a file, at its place.
type Fault struct {
	// File is the file's name as it was given.
	File string `json:"file,omitempty"`
	// Line and Column count from 1; 0 is unknown.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Node is the node's name, empty for what all nodes share.
	Node string `json:"node,omitempty"`
	// Field is the path of the field, with dots, in the file or in the node.
	Field string `json:"field,omitempty"`
	// Message says what is wrong and what to write instead, without the value where that might be a secret.
	Message string `json:"message"`
}

func (f Fault) Error() string {
	var text strings.Builder

	if f.File != "" {
		text.WriteString(f.File)

		if f.Line > 0 {
			fmt.Fprintf(&text, ":%d:%d", f.Line, f.Column)
		}

		text.WriteString(": ")
	}

	for _, subject := range []string{f.Node, f.Field} {
		if subject != "" {
			text.WriteString(subject + ": ")
		}
	}

	return text.String() + f.Message
}

// Faults is everything that is wrong with a file, in the order of its lines.
type Faults []Fault

// Error is a line for each fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}

	return strings.Join(lines, "\n")
}

// Unwrap makes each fault found by errors.AsType.
func (f Faults) Unwrap() []error {
	errs := make([]error, len(f))
	for i, fault := range f {
		errs[i] = fault
	}

	return errs
}

// orNil returns the faults in the order of their lines, or no error where there are none.
func (f Faults) orNil() error {
	if len(f) == 0 {
		return nil
	}

	slices.SortStableFunc(f, func(a, b Fault) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) })

	return f
}
