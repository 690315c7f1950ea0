package tailnet

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
)

// mode is how the nodes of a run are networked.
type mode string

const (
	// kernel nodes have a TUN in a network namespace, as on Talos.
	kernel mode = "kernel"
	// userspace nodes are plain processes on loopback.
	userspace mode = "userspace"
)

// chooseMode takes the kernel mode where it is possible, unless one is asked for.
func chooseMode(asked string) (mode, error) {
	missing := missingForKernel()

	switch mode(asked) {
	case userspace:
		fmt.Println("tailnet: userspace mode, as asked")

		return userspace, nil
	case kernel:
		return kernel, missing
	case "":
		if missing != nil {
			fmt.Println("tailnet: userspace mode, what needs a kernel TUN is skipped:", missing)

			return userspace, nil
		}

		return kernel, nil
	default:
		return "", fmt.Errorf("E2E_MODE=%s: say kernel or userspace", asked)
	}
}

func missingForKernel() error {
	var faults []error

	if runtime.GOOS != "linux" {
		faults = append(faults, fmt.Errorf("runs on %s, not on linux", runtime.GOOS))
	}

	if os.Geteuid() != 0 {
		faults = append(faults, errors.New("not root"))
	}

	if tun, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0); err != nil {
		faults = append(faults, err)
	} else {
		tun.Close()
	}

	for _, program := range []string{"ip", "nsenter", "sysctl", "mount", "chroot", "iptables"} {
		if _, err := exec.LookPath(program); err != nil {
			faults = append(faults, err)
		}
	}

	return errors.Join(faults...)
}

func needsKernel(t *testing.T, what string) {
	t.Helper()

	if networking != kernel {
		t.Skipf("not shown in %s mode: %s", networking, what)
	}
}
