package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

// standInChild is a command to run with patches: it prints its arguments and environment, and does with the patches what
// its first argument says.
func standInChild() {
	fmt.Println("arguments:", strings.Join(os.Args[1:], " "))

	for _, variable := range os.Environ() {
		fmt.Println("environment:", variable)
	}

	switch os.Args[1] {
	case "read":
		printPatches()
	case "read-first":
		text, err := os.ReadFile(strings.TrimPrefix(os.Args[3], "@"))
		fmt.Printf("%s%v\n", text, err)
	case "read-twice":
		printPatches()
		printPatches()
	case "stdin":
		var word string

		_, _ = fmt.Scan(&word)
		fmt.Println("stdin:", word)
		printPatches()
	case "fail":
		printPatches()
		os.Exit(7)
	case "die":
		process, _ := os.FindProcess(os.Getpid())
		_ = process.Signal(syscall.SIGKILL)
		time.Sleep(time.Minute)
	case "stubborn":
		printPatches()

		received := make(chan os.Signal, 1)
		signal.Notify(received, syscall.SIGTERM)
		fmt.Println("ready")
		<-received
		fmt.Println("received SIGTERM and goes on")
		time.Sleep(100 * time.Millisecond)
		os.Exit(3)
	}
}

func printPatches() {
	for _, arg := range os.Args[2:] {
		if _, file, ok := strings.Cut(arg, "@"); ok {
			text, err := os.ReadFile(file)
			fmt.Printf("%s: %d bytes, %v\n%s", file, len(text), err, text)
		}
	}
}

// lockedBuffer is an output that is read while it is written to.
type lockedBuffer struct {
	guard sync.Mutex
	text  bytes.Buffer
}

func (b *lockedBuffer) Write(text []byte) (int, error) {
	b.guard.Lock()
	defer b.guard.Unlock()

	return b.text.Write(text)
}

func (b *lockedBuffer) String() string {
	b.guard.Lock()
	defer b.guard.Unlock()

	return b.text.String()
}

// A command that ignores a signal has the last word: its exit code is ours, and its failure revokes the key.
func TestExecPassesSignalsOn(t *testing.T) {
	t.Parallel()

	server := tailnettest.NewServer(t)

	output := &lockedBuffer{}

	var stderr bytes.Buffer

	command := exec.CommandContext(t.Context(), "talos-tsbridge", "exec", "--", "stand-in-child", "stubborn", "@-")
	command.Env = append(os.Environ(), credentials(server)...)
	command.Stdout, command.Stderr = output, &stderr
	require.NoError(t, command.Start())

	require.Eventually(t, func() bool { return strings.Contains(output.String(), "ready") }, time.Minute, 5*time.Millisecond)
	require.NoError(t, command.Process.Signal(syscall.SIGTERM))

	var exit *exec.ExitError

	require.ErrorAs(t, command.Wait(), &exit)
	assert.Equal(t, 3, exit.ExitCode())
	assert.Contains(t, output.String(), "received SIGTERM and goes on")
	assert.Empty(t, server.LiveKeys())
	assert.Contains(t, stderr.String(), "because it was not delivered")
}

// Whoever calls run in a context of theirs ends the command with it.
func TestExecEndsWithItsContext(t *testing.T) {
	t.Parallel()

	ctx, cancel := context.WithCancelCause(t.Context())
	output := &lockedBuffer{}

	var stderr bytes.Buffer

	env := append(os.Environ(), "TS_AUTHKEY="+canary)
	code := make(chan int, 1)

	go func() {
		code <- run(ctx, []string{"exec", "--", "stand-in-child", "stubborn", "@-"}, env, strings.NewReader(""), output, &stderr)
	}()

	require.Eventually(t, func() bool { return strings.Contains(output.String(), "ready") }, time.Minute, 5*time.Millisecond)
	cancel(errors.New("enough"))
	assert.Equal(t, 3, <-code)
	assert.NotContains(t, stderr.String(), "Canary")
}

// A patch larger than what a pipe holds reaches a command that reads it, and does not hold up one that does not.
func TestExecLargePatch(t *testing.T) {
	t.Parallel()

	large := strings.Repeat("x", 200_000)

	for _, mode := range []string{"read", "ignore"} {
		var stdout, stderr bytes.Buffer

		code := run(t.Context(), []string{"exec", "--env", "TS_LARGE=" + large, "--", "stand-in-child", mode, "@-"},
			append(os.Environ(), "TS_AUTHKEY="+canary), strings.NewReader(""), &stdout, &stderr)
		require.Equal(t, exitDone, code, stderr.String())
		assert.Equal(t, mode == "read", strings.Contains(stdout.String(), large))
		assert.Equal(t, mode == "ignore", strings.Contains(stderr.String(), "note: the command did not read the patch"))
	}
}
