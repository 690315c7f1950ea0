package tailnet

import (
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace without a name: it lives as long as the
// process that holds it, and the kernel ends that process with the test, even
// if the test is killed.
type namespace struct {
	holder int
}

func newNamespace(t *testing.T) *namespace {
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

	n := &namespace{holder: holder.Process.Pid}
	n.run(t, "ip", "link", "set", "lo", "up")

	return n
}

// enter is the command line that runs a program inside.
func (n *namespace) enter(argv ...string) []string {
	return append([]string{"nsenter", "--net=/proc/" + strconv.Itoa(n.holder) + "/ns/net", "--"}, argv...)
}

func (n *namespace) command(argv ...string) *exec.Cmd {
	argv = n.enter(argv...)

	return exec.Command(argv[0], argv[1:]...)
}

func (n *namespace) run(t *testing.T, argv ...string) string {
	t.Helper()

	output, err := n.command(argv...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, output)
	}

	return string(output)
}

// connect lays a cable from device here to remoteDevice in the other namespace.
func (n *namespace) connect(t *testing.T, device string, remote *namespace, remoteDevice string) {
	t.Helper()

	n.run(t, "ip", "link", "add", device, "type", "veth", "peer", "name", remoteDevice, "netns", strconv.Itoa(remote.holder))
	n.run(t, "ip", "link", "set", device, "up")
	remote.run(t, "ip", "link", "set", remoteDevice, "up")
}

func (n *namespace) address(t *testing.T, device, prefix, gateway string) {
	t.Helper()

	n.run(t, "ip", "address", "add", prefix, "dev", device)

	if gateway != "" {
		n.run(t, "ip", "route", "add", "default", "via", gateway)
	}
}

// inside opens sockets in the namespace. A socket stays in the namespace of the
// thread that made it, so the rest can be done anywhere.
func (n *namespace) inside(open func() error) error {
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

// lan is a switch with the control server's address on it. It has no way out.
type lan struct {
	*namespace
	ports int
}

const lanAddress = "172.30.0.1"

func newLAN(t *testing.T) *lan {
	t.Helper()

	l := &lan{namespace: newNamespace(t)}
	l.run(t, "ip", "link", "add", "lan0", "type", "bridge")
	l.run(t, "ip", "link", "set", "lan0", "up")
	l.address(t, "lan0", lanAddress+"/24", "")

	return l
}

// plug makes a namespace with an address on the LAN and the one setting of a
// Talos node that matters here: IPv4 is forwarded, IPv6 is not.
func (l *lan) plug(t *testing.T) *namespace {
	t.Helper()

	l.ports++
	port := fmt.Sprintf("port%d", l.ports)

	n := newNamespace(t)
	n.connect(t, "eth0", l.namespace, port)
	l.run(t, "ip", "link", "set", port, "master", "lan0")
	n.address(t, "eth0", fmt.Sprintf("172.30.0.%d/24", 9+l.ports), lanAddress)
	n.run(t, "sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1")

	return n
}
