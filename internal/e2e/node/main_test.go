package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

func init() {
	// A namespace belongs to a thread, and this one must be the process's first.
	if os.Getenv(becomeNodeVariable) != "" {
		runtime.LockOSThread()
	}
}

func TestMain(m *testing.M) {
	if os.Getenv(becomeNodeVariable) != "" {
		fmt.Fprintln(os.Stderr, "node:", becomeNode())
		os.Exit(1)
	}

	os.Exit(run(m))
}

func run(m *testing.M) int {
	if err := missing(); err != nil {
		fmt.Println("SKIP: no Talos node runs here:", err)

		return 0
	}

	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)

		return 1
	}

	defer os.RemoveAll(root)

	before, err := lookAtMachine()
	if err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)

		return 1
	}

	code := m.Run()

	after, err := lookAtMachine()
	if err = errors.Join(err, before.differs(after)); err != nil {
		fmt.Fprintln(os.Stderr, "node: the tests changed the machine:", err)

		return 1
	}

	return code
}

func prepare() error {
	if err := lab.Prepare(); err != nil {
		return err
	}

	cache, err := lab.CacheFolder()
	if err != nil {
		return err
	}

	if err := buildTalos(cache); err != nil {
		return err
	}

	return assembleRoot()
}

// missing is what a node needs and this machine does not have.
func missing() error {
	faults := []error{lab.MissingForKernel()}

	for _, program := range []string{"containerd", "containerd-shim-runc-v2", "runc", "ldd"} {
		if _, err := exec.LookPath(program); err != nil {
			faults = append(faults, err)
		}
	}

	if _, err := unifiedCgroup(); err != nil {
		faults = append(faults, err)
	}

	return errors.Join(faults...)
}
