package lab

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// running is a process as /proc shows it.
type running struct {
	pid         int
	arguments   []byte
	environment []byte
}

// runningProcesses are all that this user may see, the test itself left out.
func runningProcesses() []running {
	folders, _ := filepath.Glob("/proc/[0-9]*")

	var all []running

	for _, folder := range folders {
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err != nil || pid == os.Getpid() {
			continue
		}

		// A process may have ended since; then there is nothing to read.
		arguments, _ := os.ReadFile(filepath.Join(folder, "cmdline"))
		environment, _ := os.ReadFile(filepath.Join(folder, "environ"))

		all = append(all, running{pid: pid, arguments: arguments, environment: environment})
	}

	return all
}

// marked are the processes that inherited an environment variable.
func marked(variable string) []running {
	var found []running

	for _, process := range runningProcesses() {
		for entry := range bytes.SplitSeq(process.environment, []byte{0}) {
			if string(entry) == variable {
				found = append(found, process)

				break
			}
		}
	}

	return found
}

// killMarked ends what a program that we marked has left behind.
func killMarked(variable string) {
	for _, process := range marked(variable) {
		syscall.Kill(process.pid, syscall.SIGKILL)
	}
}

// sightings watches all processes for a secret until stopped.
type sightings struct {
	stopping chan struct{}
	result   chan []string
}

func WatchFor(secret string) *sightings {
	s := &sightings{stopping: make(chan struct{}), result: make(chan []string, 1)}

	go func() {
		seen := map[string]bool{}

		for {
			for _, process := range runningProcesses() {
				if bytes.Contains(process.arguments, []byte(secret)) {
					seen[programOf(process)+" arguments"] = true
				}

				if bytes.Contains(process.environment, []byte(secret)) {
					seen[programOf(process)+" environment"] = true
				}
			}

			select {
			case <-s.stopping:
				var found []string

				for where := range seen {
					found = append(found, where)
				}

				s.result <- found

				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()

	return s
}

// Stop gives where the secret was seen, as "program arguments" or "program environment".
func (s *sightings) Stop() []string {
	close(s.stopping)

	return <-s.result
}

func programOf(process running) string {
	name, _, _ := strings.Cut(string(process.arguments), "\x00")
	if name == "" {
		return fmt.Sprintf("process %d", process.pid)
	}

	return filepath.Base(name)
}
