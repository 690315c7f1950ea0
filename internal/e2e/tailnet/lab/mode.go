package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
)

// Mode is how the nodes of a run are networked.
type Mode string

const (
	// kernel nodes have a TUN in a network namespace, as on Talos.
	Kernel Mode = "kernel"
	// userspace nodes are plain processes on loopback.
	Userspace Mode = "userspace"
)

// chooseMode takes the kernel mode where it is possible, unless one is asked for.
func chooseMode(asked string) (Mode, error) {
	missing := MissingForKernel()

	switch Mode(asked) {
	case Userspace:
		fmt.Println("lab: userspace mode, as asked")

		return Userspace, nil
	case Kernel:
		return Kernel, missing
	case "":
		if missing != nil {
			fmt.Println("lab: userspace mode, what needs a kernel TUN is skipped:", missing)

			return Userspace, nil
		}

		return Kernel, nil
	default:
		return "", fmt.Errorf("E2E_MODE=%s: say kernel or userspace", asked)
	}
}

// MissingForKernel is what nodes with a kernel TUN need and this machine does not have.
func MissingForKernel() error {
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

func NeedsKernel(t testing.TB, what string) {
	t.Helper()

	if Networking != Kernel {
		t.Skipf("not shown in %s mode: %s", Networking, what)
	}
}
