package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// becomeNodeVariable names the folder of the node's own data. With it, the test binary, started in namespaces of its
// own, makes of itself the first process of a node, as a container engine would: a root that cannot be written, tmpfs
// on /run, /system and /tmp, and volumes on /var, /opt and /system/state.
const becomeNodeVariable = "E2E_BECOME_NODE"

// notNamespaced are settings of the kernel that Talos writes and that are the whole machine's. The node writes into
// files instead.
var notNamespaced = []string{
	"kernel/panic", "kernel/pid_max", "kernel/kexec_load_disabled", "vm/overcommit_memory", "fs/inotify/max_user_instances", "fs/aio-max-nr",
}

func becomeNode() error {
	data := os.Getenv(becomeNodeVariable)

	cgroup, err := unifiedCgroup()
	if err != nil {
		return err
	}

	if err := os.WriteFile(filepath.Join(cgroup, filepath.Base(data), "cgroup.procs"), []byte("0"), 0); err != nil {
		return err
	}

	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("a namespace for cgroups: %w", err)
	}

	name, err := os.ReadFile(filepath.Join(data, "layer/etc/hostname"))
	if err != nil {
		return err
	}

	if err := unix.Sethostname([]byte(strings.TrimSpace(string(name)))); err != nil {
		return err
	}

	if err := mountRoot(data, os.Getenv("E2E_ROOT")); err != nil {
		return err
	}

	environment := []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "PLATFORM=container", "TALOSSKU=2CPU-2048RAM", "HOSTNAME=" + strings.TrimSpace(string(name))}

	// Without one, the node waits in maintenance mode.
	if config, has := os.LookupEnv("USERDATA"); has {
		environment = append(environment, "USERDATA="+config)
	}

	return syscall.Exec("/sbin/init", []string{"/sbin/init"}, environment)
}

func mountRoot(data, lower string) error {
	merged := filepath.Join(data, "merged")
	m := &mounter{}

	m.do(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), "make all mounts private")
	m.mount("overlay", merged, "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, filepath.Join(data, "layer"), filepath.Join(data, "work")))
	m.do(unix.Mount("", merged, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""), "make the root read-only")

	for _, name := range []string{"run", "system", "tmp"} {
		m.mount("tmpfs", filepath.Join(merged, name), "tmpfs", 0, "mode=0755")
	}

	m.do(os.MkdirAll(filepath.Join(merged, "system/state"), 0o755), "/system/state")

	for volume, place := range map[string]string{"var": "var", "opt": "opt", "state": "system/state"} {
		m.mount(filepath.Join(data, volume), filepath.Join(merged, place), "", unix.MS_BIND, "")
	}

	m.mount("proc", filepath.Join(merged, "proc"), "proc", 0, "")

	for _, setting := range notNamespaced {
		m.file(filepath.Join(data, "settings"), filepath.Join(merged, "proc/sys", setting))
	}

	// Without CAP_SYS_RESOURCE no oom_score_adj can be lowered, which machined takes for a failure unless it is in a user
	// namespace. It knows that by this file.
	m.do(os.WriteFile(filepath.Join(data, "uid_map"), []byte("         0          0 4294967294\n"), 0o644), "uid_map")
	m.mount(filepath.Join(data, "uid_map"), filepath.Join(merged, "proc/1/uid_map"), "", unix.MS_BIND, "")

	m.mount("sysfs", filepath.Join(merged, "sys"), "sysfs", 0, "")
	m.mount("cgroup2", filepath.Join(merged, "sys/fs/cgroup"), "cgroup2", 0, "")
	m.devices(filepath.Join(merged, "dev"))

	m.do(os.Chdir(merged), "enter the root")
	m.do(unix.PivotRoot(".", "mnt"), "change the root")
	m.do(os.Chdir("/"), "enter the root")
	m.do(unix.Unmount("/mnt", unix.MNT_DETACH), "leave the machine's root")

	return m.err
}

// mounter does nothing more after the first error.
type mounter struct{ err error }

func (m *mounter) do(err error, what string) {
	if m.err == nil && err != nil {
		m.err = fmt.Errorf("%s: %w", what, err)
	}
}

func (m *mounter) mount(source, target, kind string, flags uintptr, options string) {
	if m.err == nil {
		m.do(unix.Mount(source, target, kind, flags, options), "mount "+target)
	}
}

// file lays a copy of a file over it.
func (m *mounter) file(copies, path string) {
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return
	}

	m.do(err, path)

	copied := filepath.Join(copies, strings.ReplaceAll(strings.Trim(path, "/"), "/", "."))
	m.do(os.MkdirAll(copies, 0o755), copies)
	m.do(os.WriteFile(copied, content, 0o644), copied)
	m.mount(copied, path, "", unix.MS_BIND, "")
}

// devices are those that any container has, a TUN, and no disks.
func (m *mounter) devices(dev string) {
	m.mount("tmpfs", dev, "tmpfs", 0, "mode=0755")

	for _, name := range []string{"pts", "shm", "mqueue", "net"} {
		m.do(os.MkdirAll(filepath.Join(dev, name), 0o755), name)
	}

	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty", "net/tun"} {
		m.do(os.WriteFile(filepath.Join(dev, name), nil, 0o666), name)
		m.mount("/dev/"+name, filepath.Join(dev, name), "", unix.MS_BIND, "")
	}

	for name, target := range map[string]string{"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		m.do(os.Symlink(target, filepath.Join(dev, name)), name)
	}

	m.mount("devpts", filepath.Join(dev, "pts"), "devpts", 0, "newinstance,ptmxmode=0666,mode=0620")
	m.mount("shm", filepath.Join(dev, "shm"), "tmpfs", 0, "size=64m")
	m.mount("mqueue", filepath.Join(dev, "mqueue"), "mqueue", 0, "")
}
