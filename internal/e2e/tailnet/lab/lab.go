package lab

import (
	"fmt"
	"os"
	"testing"
)

// Programs and Networking are the same for all tests of a run.
var (
	Programs   Binaries
	Networking Mode
)

// Run is what TestMain of a suite calls: it builds the programs, then runs the tests.
func Run(m *testing.M) int {
	if err := Prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)

		return 1
	}

	return m.Run()
}

// Prepare chooses the mode and builds the programs.
func Prepare() (err error) {
	if Networking, err = chooseMode(os.Getenv("E2E_MODE")); err != nil {
		return err
	}

	Programs, err = buildPrograms()

	return err
}
