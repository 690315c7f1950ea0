package node

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

// node is a Talos node: machined as the first process of its own namespaces, with volumes that outlive its restart.
type node struct {
	*lab.Namespace

	hostname string
	data     string // volumes and the node's own layer over the root
	cgroup   string
	console  *lab.Journal
	command  *exec.Cmd // the run of machined, or nil
	done     chan struct{}
}

// nodeFolder is how the names of the nodes' folders and cgroups begin.
const nodeFolder = "talos-node-"

// plugNode makes the place of a node on the LAN. It is switched off.
func plugNode(t testing.TB, lan *lab.LAN, hostname string) *node {
	t.Helper()

	cgroups, err := unifiedCgroup()
	if err != nil {
		t.Fatal(err)
	}

	data, err := os.MkdirTemp("", nodeFolder)
	if err != nil {
		t.Fatal(err)
	}

	n := &node{Namespace: lan.Plug(t), hostname: hostname, data: data, cgroup: filepath.Join(cgroups, filepath.Base(data)), console: &lab.Journal{}}

	t.Cleanup(func() {
		n.off(t)

		if t.Failed() {
			t.Logf("the end of the console of %s:\n%s", hostname, lastLines(n.console.String(), 40))
		}

		if err := os.RemoveAll(data); err != nil {
			t.Error(err)
		}
	})

	for path, content := range map[string]string{
		"hostname":    hostname + "\n",
		"resolv.conf": "nameserver " + lab.LANAddress + "\n",
		"hosts":       fmt.Sprintf("127.0.0.1 localhost\n%s %s\n", n.LANAddress, hostname),
	} {
		lab.WriteFile(t, filepath.Join(data, "layer/etc", path), content)
	}

	for _, volume := range []string{"var", "opt", "state", "work", "merged"} {
		if err := os.MkdirAll(filepath.Join(data, volume), 0o755); err != nil {
			t.Fatal(err)
		}
	}

	if err := os.CopyFS(filepath.Join(data, "opt"), os.DirFS(filepath.Join(root, "opt"))); err != nil {
		t.Fatal(err)
	}

	return n
}

// on starts the node. A config is what its platform hands it at its first start; without one it waits in maintenance
// mode, unless it has been installed before.
func (n *node) on(t testing.TB, config []byte) {
	t.Helper()

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}

	if err := os.MkdirAll(n.cgroup, 0o755); err != nil {
		t.Fatal(err)
	}

	// What overlayfs keeps there is of the last run.
	if err := os.RemoveAll(filepath.Join(n.data, "work")); err != nil {
		t.Fatal(err)
	}

	if err := os.MkdirAll(filepath.Join(n.data, "work"), 0o755); err != nil {
		t.Fatal(err)
	}

	n.console = &lab.Journal{}
	n.command = n.Command(self)
	n.command.Env = []string{"PATH=" + os.Getenv("PATH"), becomeNodeVariable + "=" + n.data, "E2E_ROOT=" + root}
	n.command.Stdout = n.console
	n.command.Stderr = n.console
	n.command.WaitDelay = 5 * time.Second
	n.command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		Setsid:     true,
		Pdeathsig:  syscall.SIGKILL,
	}

	if config != nil {
		n.command.Env = append(n.command.Env, "USERDATA="+base64.StdEncoding.EncodeToString(config))
	}

	if err := n.command.Start(); err != nil {
		t.Fatal(err)
	}

	n.done = make(chan struct{})

	go func() {
		_ = n.command.Wait()

		close(n.done)
	}()
}

var allStopped = regexp.MustCompile(`phase stopEverything .*: done`)

// off switches the node off in order: once its services are stopped, nothing follows that matters here, and the end of
// the first process ends all others.
func (n *node) off(t testing.TB) {
	t.Helper()

	if n.command == nil {
		return
	}

	_ = n.command.Process.Signal(syscall.SIGTERM)

	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if allStopped.MatchString(n.console.String()) || n.ended() {
			break
		}
	}

	n.kill(t)
}

// kill pulls the plug.
func (n *node) kill(t testing.TB) {
	t.Helper()

	_ = n.command.Process.Kill()

	<-n.done

	n.command = nil

	lab.Eventually(t, 10*time.Second, "the node's cgroups are removed", func() error { return removeCgroup(n.cgroup) })
}

func (n *node) ended() bool {
	select {
	case <-n.done:
		return true
	default:
		return false
	}
}

// tailnetAddress is the node's IPv4 address on the tailnet, if it has one.
func (n *node) tailnetAddress() (netip.Addr, error) {
	output, err := n.Command("ip", "-json", "address", "show", "dev", "tailscale0").CombinedOutput()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("no tailscale0: %s", output)
	}

	var links []struct {
		Addresses []struct {
			Family string     `json:"family"`
			Local  netip.Addr `json:"local"`
		} `json:"addr_info"`
	}

	if err := json.Unmarshal(output, &links); err != nil {
		return netip.Addr{}, err
	}

	for _, link := range links {
		for _, address := range link.Addresses {
			if address.Family == "inet" {
				return address.Local, nil
			}
		}
	}

	return netip.Addr{}, fmt.Errorf("tailscale0 has no address yet")
}

// joined waits for a tailnet address.
func (n *node) joined(t testing.TB) netip.Addr {
	t.Helper()

	var address netip.Addr

	lab.Eventually(t, lab.JoinWithin, "the node has a tailnet address", func() (err error) {
		if n.ended() {
			t.Fatal("machined ended")
		}

		address, err = n.tailnetAddress()

		return err
	})

	return address
}

// containerboot is the process of the extension's service.
func (n *node) containerboot() (pid int, environment []string, err error) {
	for _, process := range lab.Processes() {
		if string(process.Arguments) != "/usr/local/bin/containerboot\x00" || !n.Has(process.PID) {
			continue
		}

		return process.PID, strings.Split(strings.Trim(string(process.Environment), "\x00"), "\x00"), nil
	}

	return 0, nil, fmt.Errorf("no containerboot runs on the node")
}

// serving waits until the service runs, and gives its process.
func (n *node) serving(t testing.TB) (pid int) {
	t.Helper()

	n.restarted(t, 0)

	pid, _, err := n.containerboot()
	if err != nil {
		t.Fatal(err)
	}

	return pid
}

// restarted waits until the service has another process than the one before, and its environment.
func (n *node) restarted(t testing.TB, before int) []string {
	t.Helper()

	var environment []string

	lab.Eventually(t, 30*time.Second, "the service restarts", func() error {
		pid, now, err := n.containerboot()
		if err == nil && pid == before {
			err = fmt.Errorf("it is still process %d", pid)
		}

		environment = now

		return err
	})

	return environment
}

// tailscale runs tailscale on the node's own tailscaled.
func (n *node) tailscale(args ...string) ([]byte, error) {
	pid, _, err := n.containerboot()
	if err != nil {
		return nil, err
	}

	socket := fmt.Sprintf("--socket=/proc/%d/root/run/tailscale/tailscaled.sock", pid)

	return output(exec.Command(filepath.Join(lab.Programs.Extension, "tailscale"), slices.Concat([]string{socket}, args)...))
}

func lastLines(text string, count int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")

	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}
