package tailnet

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

// node is a place where the extension runs, with a filesystem that outlives a
// restart of the service.
type node struct {
	namespace *namespace // nil in userspace mode
	root      string     // its filesystem; in userspace mode a folder for its files
	stateDir  string     // as the node sees it
	socket    string     // as the node sees it
}

// tailnet is a control server and the LAN it is on.
type tailnet struct {
	control *control
	lan     *lan // nil in userspace mode
}

func newTailnet(t *testing.T) *tailnet {
	t.Helper()

	if networking == userspace {
		return &tailnet{control: newControl(t, nil)}
	}

	lan := newLAN(t)

	return &tailnet{control: newControl(t, lan), lan: lan}
}

func (n *tailnet) newNode(t *testing.T) *node {
	t.Helper()

	// A socket's path is limited to about a hundred bytes, which t.TempDir may exceed.
	folder, err := os.MkdirTemp("", "node-")
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { os.RemoveAll(folder) })

	if networking == userspace {
		socket := filepath.Join(folder, "tailscaled.sock")
		removeLinkTo(t, socket)

		return &node{root: folder, stateDir: filepath.Join(folder, "state"), socket: socket}
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

	return &node{
		namespace: n.lan.plug(t),
		root:      folder,
		stateDir:  "/var/lib/tailscale",
		socket:    "/var/run/tailscale/tailscaled.sock",
	}
}

// removeLinkTo removes what containerboot leaves at the default place of the
// socket, if it may write there and nothing else is there.
func removeLinkTo(t *testing.T, socket string) {
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

// flags are what our binary must be told about the place. A Talos node needs none.
func (n *node) flags() []string {
	if networking == userspace {
		return []string{"--userspace", "--state-dir=" + n.stateDir}
	}

	return nil
}

// mountPath is where a config file of that name can be mounted.
func (n *node) mountPath(name string) string {
	if networking == userspace {
		return filepath.Join(n.root, name)
	}

	return "/var/etc/tailscale/" + name
}

// onDisk is where the test finds a file of the node.
func (n *node) onDisk(path string) string {
	if networking == userspace {
		return path
	}

	return filepath.Join(n.root, path)
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

// start runs containerboot as the extension's service does: the variables of
// the service first, then those of the document, and config files in place.
func (n *node) start(t *testing.T, document extensionServiceConfig) *service {
	t.Helper()

	for _, file := range document.ConfigFiles {
		writeFile(t, n.onDisk(file.MountPath), file.Content)
	}

	// The relay of the lab speaks HTTP, and nothing may ask for the outside world.
	environment := []string{"TS_DEBUG_USE_DERP_HTTP=true", "TS_NO_LOGS_NO_SUPPORT=true", "TS_DISABLE_PORTMAPPER=true"}

	if networking == userspace {
		command := exec.Command(filepath.Join(programs.extension, "containerboot"))
		command.Dir = n.root
		command.Env = append(append(environment,
			"PATH="+programs.extension,
			"TS_SOCKET="+n.socket,
			"TS_STATE_DIR="+n.stateDir,
			"TS_USERSPACE=true",
		), document.Environment...)

		return &service{process: startProcess(t, "containerboot", command, nil), node: n}
	}

	argv := n.namespace.enter("/bin/sh", "-c", enterContainer)
	command := exec.Command(argv[0], argv[1:]...)
	command.Env = append(append(environment,
		"ROOT="+n.root,
		"PROGRAMS="+programs.extension,
		"MOUNT="+toolPath(t, "mount"),
		"CHROOT="+toolPath(t, "chroot"),
		"PATH=/sbin:/usr/local/bin",
		"TS_SOCKET="+n.socket,
		"TS_STATE_DIR="+n.stateDir,
		"TS_USERSPACE=false",
	), document.Environment...)

	// A process namespace ends as a whole with containerboot, as a container does.
	return &service{
		process: startProcess(t, "containerboot", command, &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
			Pdeathsig:  syscall.SIGKILL,
		}),
		node: n,
	}
}

func toolPath(t *testing.T, name string) string {
	t.Helper()

	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}

	return path
}

// service is one run of containerboot.
type service struct {
	*process
	node *node
}

// joinWithin is generous: the machine may be busy with other tests.
const joinWithin = 60 * time.Second

// joined waits until the node is up and containerboot has nothing left to do.
func (s *service) joined(t *testing.T) *ipnstate.Status {
	t.Helper()

	var status *ipnstate.Status

	eventually(t, joinWithin, "the node joins", func() (err error) {
		if s.ended() {
			t.Fatalf("containerboot ended instead: %s", s.lastWords())
		}

		if !strings.Contains(s.log(), "Startup complete") {
			return fmt.Errorf("containerboot starts: %s", s.lastWords())
		}

		status, err = s.status()
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

func (s *service) status() (*ipnstate.Status, error) {
	output, err := s.tailscale("status", "--json")
	if err != nil {
		return nil, err
	}

	status := new(ipnstate.Status)

	return status, json.Unmarshal(output, status)
}

// preferences are the settings that `tailscale up` left.
func (s *service) preferences(t *testing.T) *ipn.Prefs {
	t.Helper()

	output, err := s.tailscale("debug", "prefs")
	if err != nil {
		t.Fatal(err)
	}

	preferences := new(ipn.Prefs)

	if err := json.Unmarshal(output, preferences); err != nil {
		t.Fatal(err)
	}

	return preferences
}

func (s *service) tailscale(args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	args = append([]string{"--socket=" + s.node.onDisk(s.node.socket)}, args...)

	output, err := exec.CommandContext(ctx, filepath.Join(programs.extension, "tailscale"), args...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("tailscale %v: %w\n%s", args, err, output)
	}

	return output, nil
}

// lastWords is the end of the log, which says why containerboot gave up.
func (s *service) lastWords() string {
	lines := strings.Split(strings.TrimSpace(s.log()), "\n")

	return strings.Join(lines[max(0, len(lines)-3):], " / ")
}
