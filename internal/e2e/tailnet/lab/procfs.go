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

// Running is a process as /proc shows it.
type Running struct {
	PID         int
	Arguments   []byte
	Environment []byte
}

// Processes are all that this user may see, the test itself left out.
func Processes() []Running {
	folders, _ := filepath.Glob("/proc/[0-9]*")

	var all []Running

	for _, folder := range folders {
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err != nil || pid == os.Getpid() {
			continue
		}

		// A process may have ended since; then there is nothing to read.
		arguments, _ := os.ReadFile(filepath.Join(folder, "cmdline"))
		environment, _ := os.ReadFile(filepath.Join(folder, "environ"))

		all = append(all, Running{PID: pid, Arguments: arguments, Environment: environment})
	}

	return all
}

// marked are the processes that inherited an environment variable.
func marked(variable string) []Running {
	var found []Running

	for _, process := range Processes() {
		for entry := range bytes.SplitSeq(process.Environment, []byte{0}) {
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
		syscall.Kill(process.PID, syscall.SIGKILL)
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
			for _, process := range Processes() {
				if bytes.Contains(process.Arguments, []byte(secret)) {
					seen[programOf(process)+" arguments"] = true
				}

				if bytes.Contains(process.Environment, []byte(secret)) {
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

func programOf(process Running) string {
	name, _, _ := strings.Cut(string(process.Arguments), "\x00")
	if name == "" {
		return fmt.Sprintf("process %d", process.PID)
	}

	return filepath.Base(name)
}
