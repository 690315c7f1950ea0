package fleet

import (
	_ "embed" // the example
	"slices"
)

//go:embed example.yaml
var example []byte

// Example returns a file to begin with, in which comments list every field.
func Example() []byte { return slices.Clone(example) }
