package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tailscale.com/ipn"
	"tailscale.com/ipn/ipnstate"
)

// Node is a place where the extension runs, with a filesystem that outlives a
// restart of the service.
type Node struct {
	Namespace *Namespace // nil in userspace mode
	Root      string     // its filesystem; in userspace mode a folder for its files
	StateDir  string     // as the node sees it
	Socket    string     // as the node sees it
}

// Tailnet is a control server and the LAN it is on.
type Tailnet struct {
	Control *Control
	LAN     *LAN // nil in userspace mode
}

func NewTailnet(t testing.TB) *Tailnet {
	t.Helper()

	if Networking == Userspace {
		return &Tailnet{Control: NewControl(t, nil)}
	}

	lan := NewLAN(t)

	return &Tailnet{Control: NewControl(t, lan), LAN: lan}
}

func (n *Tailnet) NewNode(t testing.TB) *Node {
	t.Helper()

	// A socket's path is limited to about a hundred bytes, which t.TempDir may exceed.
	folder, err := os.MkdirTemp("", "node-")
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { os.RemoveAll(folder) })

	if Networking == Userspace {
		socket := filepath.Join(folder, "tailscaled.sock")
		removeLinkTo(t, socket)

		return &Node{Root: folder, StateDir: filepath.Join(folder, "state"), Socket: socket}
	}

	// The folders and links of a container's root; what is mounted there comes
	// with each start.
	for _, name := range []string{"dev", "proc", "sys", "usr", "etc/alternatives", "tmp", "var/lib/tailscale", "var/run/tailscale"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}

	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+name, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}

	return &Node{
		Namespace: n.LAN.Plug(t),
		Root:      folder,
		StateDir:  "/var/lib/tailscale",
		Socket:    "/var/run/tailscale/tailscaled.sock",
	}
}

// removeLinkTo removes what containerboot leaves at the default place of the
// socket, if it may write there and nothing else is there.
func removeLinkTo(t testing.TB, socket string) {
	const link = "/var/run/tailscale/tailscaled.sock"

	_, err := os.Stat(filepath.Dir(link))
	folderIsNew := os.IsNotExist(err)

	t.Cleanup(func() {
		if target, err := os.Readlink(link); err == nil && target == socket {
			os.Remove(link)
		}

		if folderIsNew {
			os.Remove(filepath.Dir(link)) // unless another node still uses it
		}
	})
}

// Flags are what our binary must be told about the place. A Talos node needs none.
func (n *Node) Flags() []string {
	if Networking == Userspace {
		return []string{"--userspace", "--state-dir=" + n.StateDir}
	}

	return nil
}

// MountPath is where a config file of that name can be mounted.
func (n *Node) MountPath(name string) string {
	if Networking == Userspace {
		return filepath.Join(n.Root, name)
	}

	return "/var/etc/tailscale/" + name
}

// OnDisk is where the test finds a file of the node.
func (n *Node) OnDisk(path string) string {
	if Networking == Userspace {
		return path
	}

	return filepath.Join(n.Root, path)
}

// The tools below are run before the node's filesystem is the root, so that its
// PATH is the extension's alone. The kernel's settings are read-only for a
// system extension.
const enterContainer = `
set -e
"$MOUNT" --bind -o ro /usr "$ROOT/usr"
"$MOUNT" --bind "$PROGRAMS" "$ROOT/usr/local/bin"
"$MOUNT" --bind -o ro /etc/alternatives "$ROOT/etc/alternatives"
"$MOUNT" --rbind /dev "$ROOT/dev"
"$MOUNT" -t proc proc "$ROOT/proc"
"$MOUNT" --bind -o ro "$ROOT/proc/sys" "$ROOT/proc/sys"
"$MOUNT" -t sysfs -o ro sysfs "$ROOT/sys"
exec "$CHROOT" "$ROOT" /usr/local/bin/containerboot
`

// Start runs containerboot as the extension's service does: the variables of
// the service first, then those of the document, and config files in place.
func (n *Node) Start(t testing.TB, document ExtensionServiceConfig) *Service {
	t.Helper()

	for _, file := range document.ConfigFiles {
		WriteFile(t, n.OnDisk(file.MountPath), file.Content)
	}

	// The relay of the lab speaks HTTP, and nothing may ask for the outside world.
	environment := []string{"TS_DEBUG_USE_DERP_HTTP=true", "TS_NO_LOGS_NO_SUPPORT=true", "TS_DISABLE_PORTMAPPER=true"}

	if Networking == Userspace {
		command := exec.Command(filepath.Join(Programs.Extension, "containerboot"))
		command.Dir = n.Root
		command.Env = append(append(environment,
			"PATH="+Programs.Extension,
			"TS_SOCKET="+n.Socket,
			"TS_STATE_DIR="+n.StateDir,
			"TS_USERSPACE=true",
		), document.Environment...)

		return &Service{Process: StartProcess(t, "containerboot", command, nil), Node: n}
	}

	argv := n.Namespace.Enter("/bin/sh", "-c", enterContainer)
	command := exec.Command(argv[0], argv[1:]...)
	command.Env = append(append(environment,
		"ROOT="+n.Root,
		"PROGRAMS="+Programs.Extension,
		"MOUNT="+ToolPath(t, "mount"),
		"CHROOT="+ToolPath(t, "chroot"),
		"PATH=/sbin:/usr/local/bin",
		"TS_SOCKET="+n.Socket,
		"TS_STATE_DIR="+n.StateDir,
		"TS_USERSPACE=false",
	), document.Environment...)

	// A process namespace ends as a whole with containerboot, as a container does.
	return &Service{
		Process: StartProcess(t, "containerboot", command, &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
			Pdeathsig:  syscall.SIGKILL,
		}),
		Node: n,
	}
}

func ToolPath(t testing.TB, name string) string {
	t.Helper()

	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}

	return path
}

// Service is one run of containerboot.
type Service struct {
	*Process
	Node *Node
}

// JoinWithin is generous: the machine may be busy with other tests.
const JoinWithin = 60 * time.Second

// Joined waits until the node is up and containerboot has nothing left to do.
func (s *Service) Joined(t testing.TB) *ipnstate.Status {
	t.Helper()

	var status *ipnstate.Status

	Eventually(t, JoinWithin, "the node joins", func() (err error) {
		if s.Ended() {
			t.Fatalf("containerboot ended instead: %s", s.LastWords())
		}

		if !strings.Contains(s.Log(), "Startup complete") {
			return fmt.Errorf("containerboot starts: %s", s.LastWords())
		}

		status, err = s.Status()
		if err != nil {
			return err
		}

		if status.BackendState != ipn.Running.String() {
			return fmt.Errorf("it is in state %s", status.BackendState)
		}

		return nil
	})

	return status
}

func (s *Service) Status() (*ipnstate.Status, error) {
	output, err := s.Tailscale("status", "--json")
	if err != nil {
		return nil, err
	}

	status := new(ipnstate.Status)

	return status, json.Unmarshal(output, status)
}

// Preferences are the settings that `tailscale up` left.
func (s *Service) Preferences(t testing.TB) *ipn.Prefs {
	t.Helper()

	output, err := s.Tailscale("debug", "prefs")
	if err != nil {
		t.Fatal(err)
	}

	preferences := new(ipn.Prefs)

	if err := json.Unmarshal(output, preferences); err != nil {
		t.Fatal(err)
	}

	return preferences
}

func (s *Service) Tailscale(args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	args = append([]string{"--socket=" + s.Node.OnDisk(s.Node.Socket)}, args...)

	output, err := exec.CommandContext(ctx, filepath.Join(Programs.Extension, "tailscale"), args...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("tailscale %v: %w\n%s", args, err, output)
	}

	return output, nil
}

// LastWords is the end of the log, which says why containerboot gave up.
func (s *Service) LastWords() string {
	lines := strings.Split(strings.TrimSpace(s.Log()), "\n")

	return strings.Join(lines[max(0, len(lines)-3):], " / ")
}
