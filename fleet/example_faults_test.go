package fleet_test

import (
	"errors"
	"fmt"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
)

// What is wrong with a file is told all at once, each fault at its place.
func ExampleFaults() {
	_, err := fleet.Parse("bridge.yaml", []byte("advertisetags: [tag:k8s]\nnodes:\n  lab-1: {adress: 192.168.1.10}\n"))

	if faults, ok := errors.AsType[fleet.Faults](err); ok {
		for _, fault := range faults {
			fmt.Printf("%s:%d:%d\n", fault.File, fault.Line, fault.Column)
		}
	}

	// Output:
	// bridge.yaml:1:1
	// bridge.yaml:3:11
}
