package tailnet

import (
	"fmt"
	"os"
	"testing"
)

// programs and networking are the same for all tests of a run.
var (
	programs   binaries
	networking mode
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error

	networking, err = chooseMode(os.Getenv("E2E_MODE"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "tailnet:", err)

		return 1
	}

	programs, err = buildPrograms()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tailnet:", err)

		return 1
	}

	return m.Run()
}
