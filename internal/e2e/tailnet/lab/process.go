package lab

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Process is a program that the lab started. It ends with the test.
type Process struct {
	Command *exec.Cmd
	mark    string // an environment variable that its children inherit
	output  *Journal
	done    chan struct{}
}

// processes counts what was started, to tell them apart.
var processes atomic.Int64

// StartProcess starts a program whose output is shown if the test fails.
func StartProcess(t testing.TB, name string, command *exec.Cmd, attributes *syscall.SysProcAttr) *Process {
	t.Helper()

	p := &Process{
		Command: command,
		mark:    fmt.Sprintf("E2E_PROCESS=%d-%d", os.Getpid(), processes.Add(1)),
		output:  &Journal{},
		done:    make(chan struct{}),
	}
	command.Env = append(command.Environ(), p.mark)
	command.Stdout = p.output
	command.Stderr = p.output
	command.SysProcAttr = attributes

	// Grandchildren may hold the output open after the program has ended.
	command.WaitDelay = 5 * time.Second

	if err := command.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}

	go func() {
		command.Wait()
		close(p.done)
	}()

	t.Cleanup(func() {
		p.Stop()

		if t.Failed() {
			t.Logf("log of %s:\n%s", name, p.Log())
		}
	})

	return p
}

func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// EndsWithin waits for the program to end by itself.
func (p *Process) EndsWithin(limit time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(limit):
		return false
	}
}

// Interrupt sends what a user's Ctrl-C does.
func (p *Process) Interrupt() error { return p.Command.Process.Signal(syscall.SIGINT) }

// Stop asks the program to end, and ends it if it does not. What it has started
// and left behind is ended in any case.
func (p *Process) Stop() {
	if !p.Ended() {
		p.Command.Process.Signal(syscall.SIGTERM)
	}

	if !p.EndsWithin(30 * time.Second) {
		p.Command.Process.Kill()
	}

	killMarked(p.mark)
	<-p.done
}

func (p *Process) Log() string { return p.output.String() }

// Journal collects output that is read while it is written.
type Journal struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (j *Journal) Write(text []byte) (int, error) {
	j.mutex.Lock()
	defer j.mutex.Unlock()

	return j.text.Write(text)
}

func (j *Journal) String() string {
	j.mutex.Lock()
	defer j.mutex.Unlock()

	return j.text.String()
}

// patience is how much longer than usual something may take, on a machine that has much else to do.
const patience = 5

// Eventually tries until it works, or until the limit, which is for a machine that has nothing else to do, is over by far.
func Eventually(t testing.TB, limit time.Duration, what string, try func() error) {
	t.Helper()

	limit *= patience
	deadline := time.Now().Add(limit)

	for {
		err := try()
		if err == nil {
			return
		}

		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s: %v", limit, what, err)
		}

		time.Sleep(100 * time.Millisecond)
	}
}

func WriteFile(t testing.TB, path, content string) {
	t.Helper()

	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}

	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
