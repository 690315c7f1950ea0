package tailnet

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

// process is a program that the lab started. It ends with the test.
type process struct {
	command *exec.Cmd
	mark    string // an environment variable that its children inherit
	output  *journal
	done    chan struct{}
}

// processes counts what was started, to tell them apart.
var processes atomic.Int64

// startProcess starts a program whose output is shown if the test fails.
func startProcess(t *testing.T, name string, command *exec.Cmd, attributes *syscall.SysProcAttr) *process {
	t.Helper()

	p := &process{
		command: command,
		mark:    fmt.Sprintf("E2E_PROCESS=%d-%d", os.Getpid(), processes.Add(1)),
		output:  &journal{},
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
		p.stop()

		if t.Failed() {
			t.Logf("log of %s:\n%s", name, p.log())
		}
	})

	return p
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// endsWithin waits for the program to end by itself.
func (p *process) endsWithin(limit time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(limit):
		return false
	}
}

// stop asks the program to end, and ends it if it does not. What it has started
// and left behind is ended in any case.
func (p *process) stop() {
	if !p.ended() {
		p.command.Process.Signal(syscall.SIGTERM)
	}

	if !p.endsWithin(10 * time.Second) {
		p.command.Process.Kill()
	}

	killMarked(p.mark)
	<-p.done
}

func (p *process) log() string { return p.output.String() }

// journal collects output that is read while it is written.
type journal struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (j *journal) Write(text []byte) (int, error) {
	j.mutex.Lock()
	defer j.mutex.Unlock()

	return j.text.Write(text)
}

func (j *journal) String() string {
	j.mutex.Lock()
	defer j.mutex.Unlock()

	return j.text.String()
}

// eventually tries until it works or the limit is over.
func eventually(t *testing.T, limit time.Duration, what string, try func() error) {
	t.Helper()

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

func writeFile(t *testing.T, path, content string) {
	t.Helper()

	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}

	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
