package lab

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace without a name: it lives as long as the
// process that holds it, and the kernel ends that process with the test, even
// if the test is killed.
type Namespace struct {
	LANAddress string // its address on the LAN, if it is plugged in there

	holder int
}

func NewNamespace(t testing.TB) *Namespace {
	t.Helper()

	holder := exec.Command("sleep", "infinity")
	holder.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
	}

	if err := holder.Start(); err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}

	t.Cleanup(func() {
		holder.Process.Kill()
		holder.Wait()
	})

	n := &Namespace{holder: holder.Process.Pid}
	n.Run(t, "ip", "link", "set", "lo", "up")

	return n
}

// Enter is the command line that runs a program inside.
func (n *Namespace) Enter(argv ...string) []string {
	return append([]string{"nsenter", "--net=/proc/" + strconv.Itoa(n.holder) + "/ns/net", "--"}, argv...)
}

func (n *Namespace) Command(argv ...string) *exec.Cmd {
	argv = n.Enter(argv...)

	return exec.Command(argv[0], argv[1:]...)
}

func (n *Namespace) Run(t testing.TB, argv ...string) string {
	t.Helper()

	output, err := n.Command(argv...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, output)
	}

	return string(output)
}

// Has tells whether a process is in the namespace.
func (n *Namespace) Has(pid int) bool {
	here, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", n.holder))
	there, otherErr := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))

	return err == nil && otherErr == nil && here == there
}

// Connect lays a cable from device here to remoteDevice in the other namespace.
func (n *Namespace) Connect(t testing.TB, Device string, remote *Namespace, remoteDevice string) {
	t.Helper()

	n.Run(t, "ip", "link", "add", Device, "type", "veth", "peer", "name", remoteDevice, "netns", strconv.Itoa(remote.holder))
	n.Run(t, "ip", "link", "set", Device, "up")
	remote.Run(t, "ip", "link", "set", remoteDevice, "up")
}

func (n *Namespace) Address(t testing.TB, Device, prefix, gateway string) {
	t.Helper()

	n.Run(t, "ip", "address", "add", prefix, "dev", Device)

	if gateway != "" {
		n.Run(t, "ip", "route", "add", "default", "via", gateway)
	}
}

// Inside opens sockets in the namespace. A socket stays in the namespace of the
// thread that made it, so the rest can be done anywhere.
func (n *Namespace) Inside(open func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	outside, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}

	defer unix.Close(outside)

	there, err := unix.Open(fmt.Sprintf("/proc/%d/ns/net", n.holder), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}

	defer unix.Close(there)

	if err := unix.Setns(there, unix.CLONE_NEWNET); err != nil {
		return err
	}

	defer func() {
		if err := unix.Setns(outside, unix.CLONE_NEWNET); err != nil {
			panic(fmt.Sprintf("the test cannot leave the namespace: %v", err))
		}
	}()

	return open()
}

// LAN is a switch with the control server's address on it. It has no way out.
type LAN struct {
	*Namespace
	ports int
}

// The LAN's own address and its addresses. A tailnet address is lower than these, which is what makes Talos choose it.
const (
	LANAddress = "172.30.0.1"
	LANPrefix  = "172.30.0.0/24"
)

func NewLAN(t testing.TB) *LAN {
	t.Helper()

	l := &LAN{Namespace: NewNamespace(t)}
	l.Run(t, "ip", "link", "add", "lan0", "type", "bridge")
	l.Run(t, "ip", "link", "set", "lan0", "up")
	l.Address(t, "lan0", LANAddress+"/24", "")

	// What is for the outside is refused at once, so that nobody waits for it.
	l.Run(t, "ip", "route", "add", "unreachable", "default")
	l.Run(t, "sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1")

	return l
}

// Plug makes a namespace with an address on the LAN and the one setting of a
// Talos node that matters here: IPv4 is forwarded, IPv6 is not.
func (l *LAN) Plug(t testing.TB) *Namespace {
	t.Helper()

	l.ports++
	port := fmt.Sprintf("port%d", l.ports)

	n := NewNamespace(t)
	n.Connect(t, "eth0", l.Namespace, port)
	l.Run(t, "ip", "link", "set", port, "master", "lan0")
	n.LANAddress = fmt.Sprintf("172.30.0.%d", 9+l.ports)
	n.Address(t, "eth0", n.LANAddress+"/24", LANAddress)
	n.Run(t, "sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1")

	return n
}
