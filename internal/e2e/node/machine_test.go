package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// unifiedCgroup is where the machine has its cgroups of version 2, alone or beside those of version 1.
func unifiedCgroup() (string, error) {
	mounts, err := mountPoints()
	if err != nil {
		return "", err
	}

	for _, mount := range mounts {
		if before, after, _ := strings.Cut(mount, " - "); strings.HasPrefix(after, "cgroup2 ") {
			return strings.Fields(before)[4], nil
		}
	}

	return "", errors.New("no cgroups of version 2 are mounted")
}

func mountPoints() ([]string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")

	return strings.Split(strings.TrimSpace(string(text)), "\n"), err
}

// machine is what a node could change and must not.
type machine struct {
	settings map[string]string
	mounts   []string
	cgroups  []string
}

// Settings that change by themselves.
var livelySettings = []string{
	"fs/dentry-state", "fs/file-nr", "fs/inode-nr", "fs/inode-state", "fs/aio-nr", "fs/quota/", "fs/binfmt_misc", "kernel/ns_last_pid",
	"kernel/pty/nr", "kernel/random/", "net/netfilter/nf_conntrack_count", "kernel/perf_event_max_sample_rate", "vm/stat_refresh", "net/ipv6/route/flush", "net/ipv4/route/flush",
}

func lookAtMachine() (machine, error) {
	now := machine{settings: map[string]string{}}

	err := filepath.WalkDir("/proc/sys", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil //nolint:nilerr // what cannot be read has not been written here
		}

		name := strings.TrimPrefix(path, "/proc/sys/")
		if slices.ContainsFunc(livelySettings, func(lively string) bool { return strings.HasPrefix(name, lively) }) {
			return nil
		}

		if content, err := os.ReadFile(path); err == nil {
			now.settings[name] = string(content)
		}

		return nil
	})
	if err != nil {
		return now, err
	}

	if now.mounts, err = mountPoints(); err != nil {
		return now, err
	}

	cgroup, err := unifiedCgroup()
	if err != nil {
		return now, err
	}

	return now, filepath.WalkDir(cgroup, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			now.cgroups = append(now.cgroups, path)
		}

		return nil
	})
}

// differs compares the machine with what it was. What other programs mount, plug and start meanwhile is not the nodes'.
func (m machine) differs(after machine) error {
	var faults []error

	for name, value := range m.settings {
		if now, has := after.settings[name]; has && now != value {
			faults = append(faults, fmt.Errorf("%s was %q and is %q", name, value, now))
		}
	}

	for _, mount := range after.mounts {
		if strings.Contains(mount, os.TempDir()) && !slices.Contains(m.mounts, mount) {
			faults = append(faults, fmt.Errorf("a mount is left: %s", mount))
		}
	}

	for _, cgroup := range after.cgroups {
		if strings.Contains(cgroup, nodeFolder) && !slices.Contains(m.cgroups, cgroup) {
			faults = append(faults, fmt.Errorf("a cgroup is left: %s", cgroup))
		}
	}

	return errors.Join(faults...)
}

// removeCgroup removes a cgroup whose processes have ended, and those below it.
func removeCgroup(path string) error {
	var below []string

	_ = filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			below = append(below, path)
		}

		return nil
	})

	var err error

	for _, path := range slices.Backward(below) {
		err = errors.Join(err, os.Remove(path))
	}

	return err
}
