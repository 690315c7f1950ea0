package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

var ending = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}

// eventually waits for what another process does.
func eventually(t *testing.T, is func() bool) {
	t.Helper()
	require.Eventually(t, is, time.Minute, 5*time.Millisecond)
}

// stoppedRun is a run of the program that is sent a signal.
type stoppedRun struct {
	*exec.Cmd

	stdout, stderr bytes.Buffer
}

func start(t *testing.T, env []string, stdin *os.File, args ...string) *stoppedRun {
	t.Helper()

	run := &stoppedRun{Cmd: exec.CommandContext(t.Context(), "talos-tsbridge", args...)}
	run.Env = append(os.Environ(), env...)
	run.Stdout, run.Stderr = &run.stdout, &run.stderr

	if stdin != nil {
		run.Stdin = stdin
	}

	require.NoError(t, run.Start())

	return run
}

// stop sends a signal and returns the exit code.
func (r *stoppedRun) stop(t *testing.T, by syscall.Signal) int {
	t.Helper()
	require.NoError(t, r.Process.Signal(by))

	return r.code(t)
}

func (r *stoppedRun) code(t *testing.T) int {
	t.Helper()

	var exit *exec.ExitError

	require.ErrorAs(t, r.Wait(), &exit)

	return exit.ExitCode()
}

func fifo(t *testing.T) string {
	t.Helper()

	path := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, unix.Mkfifo(path, 0o600))

	return path
}

// The first signal ends a run that waits for its standard input, and the reader of its output is told.
func TestSignalWhileStandardInputIsRead(t *testing.T) {
	t.Parallel()

	for _, args := range [][]string{{"--auth-key", "-"}, {"apply", "-", "--auth-key", "none"}} {
		for _, by := range ending {
			t.Run(args[0]+" "+by.String(), func(t *testing.T) {
				t.Parallel()

				reader, writer, err := os.Pipe()
				require.NoError(t, err)
				t.Cleanup(func() { _, _ = reader.Close(), writer.Close() })

				run := start(t, nil, reader, args...)
				_, err = writer.WriteString("t")
				require.NoError(t, err)
				eventually(t, func() bool { // the program has read what there is, and waits for more
					left, err := unix.IoctlGetInt(int(reader.Fd()), unix.TIOCINQ)

					return err == nil && left == 0
				})

				assert.Equal(t, exitFailed, run.stop(t, by))
				assert.Contains(t, run.stdout.String(), failureKey)
				assert.Contains(t, run.stderr.String(), "error: stopped by a signal: ")
			})
		}
	}
}

// So it does with a FIFO, wherever its name stands.
func TestSignalWhileFIFOIsRead(t *testing.T) {
	t.Parallel()

	for i, args := range [][]string{
		{"--auth-key", "none", "--base", "FIFO"},
		{"--auth-key", "none", "--config-file", "/etc/tailscale/x=FIFO"},
		{"patch", "--format", "json", "-f", "FIFO"},
		{"patch", "--auth-key", "none", "--format", "json", "-f", "files.yaml"},
		{"up", "--dry-run", "-f", "FIFO"},
		{"up", "--dry-run", "--nodes", "192.168.1.10", "--talosconfig", "FIFO"},
		{"verify", "--nodes", "192.168.1.10", "--talosconfig", "FIFO"},
		{"access", "--nodes", "192.168.1.10", "--talosconfig", "FIFO"},
		{"schematic", "--from-node", "192.168.1.10", "--talosconfig", "FIFO"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()

			path := fifo(t)
			bridge := filepath.Join(t.TempDir(), "files.yaml")
			require.NoError(t, os.WriteFile(bridge, []byte("nodes: {a: {configFiles: {/etc/tailscale/x: "+path+"}}}\n"), 0o600))

			for i, arg := range args {
				args[i] = strings.NewReplacer("FIFO", path, "files.yaml", bridge).Replace(arg)
			}

			run := start(t, nil, nil, args...)

			eventually(t, func() bool {
				writer, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0)
				if err == nil {
					t.Cleanup(func() { _ = writer.Close() })
				}

				return err == nil
			})

			assert.Equal(t, exitFailed, run.stop(t, ending[i%len(ending)]))
			assert.Contains(t, run.stderr.String(), "stopped by a signal: ")

			if strings.HasPrefix(args[0], "-") || args[0] == "patch" {
				assert.Contains(t, run.stdout.String(), failureKey)
			}
		})
	}
}

// A key that waits for the reader of a FIFO is revoked.
func TestSignalWhileFIFOIsWritten(t *testing.T) {
	t.Parallel()

	for _, by := range ending {
		server := tailnettest.NewServer(t)

		run := start(t, credentials(server), nil, "-o", fifo(t), "--quiet")
		eventually(t, func() bool { return len(server.LiveKeys()) > 0 })

		// the failure is for the reader of the FIFO, who may come
		code := run.stop(t, by)
		assert.Equal(t, exitFailed, code)
		assert.Empty(t, server.LiveKeys())
		assert.Empty(t, run.stdout.String())
	}
}

// A reader who has a part of a patch that is larger than any pipe gets what makes Talos refuse it, once they read on.
func TestSignalCutsAPatch(t *testing.T) {
	t.Parallel()

	server := tailnettest.NewServer(t)

	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _ = reader.Close() })

	const lines, length = 20, 60_000 // more than a pipe can be made to hold, and less than arguments may be

	var large []string
	for i := range lines {
		large = append(large, "--env", "TS_LARGE_"+strings.Repeat("X", i+1)+"="+strings.Repeat("x", length))
	}

	command := exec.CommandContext(t.Context(), "talos-tsbridge", append(large, "--quiet")...)
	command.Env = append(os.Environ(), credentials(server)...)
	command.Stdout = writer

	require.NoError(t, command.Start())
	require.NoError(t, writer.Close())

	first := make([]byte, 1)
	_, err = io.ReadFull(reader, first)
	require.NoError(t, err)
	require.NoError(t, command.Process.Signal(syscall.SIGTERM))
	eventually(t, func() bool { return len(server.LiveKeys()) == 0 })

	rest, err := io.ReadAll(reader)
	require.NoError(t, err)
	require.Error(t, command.Wait())
	assert.Contains(t, string(rest), "\n---\n"+failureKey+": ")
	assert.Less(t, len(rest), lines*length)
}

// A second signal ends a run at once that waits for the API to revoke, and names the key.
func TestSecondSignalNamesTheKey(t *testing.T) {
	t.Parallel()

	server := tailnettest.NewServer(t)
	server.Fail(tailnettest.Fault{On: tailnettest.DeleteKey, Delay: time.Minute})

	run := start(t, credentials(server), nil, "-o", fifo(t), "--quiet")
	eventually(t, func() bool { return len(server.LiveKeys()) > 0 })

	ended := make(chan int)

	go func() { ended <- run.code(t) }()

	eventually(t, func() bool {
		_ = run.Process.Signal(syscall.SIGTERM) // two in the same instant are one

		select {
		case code := <-ended:
			return assert.Equal(t, exitFailed, code)
		default:
			return false
		}
	})
	// by its ID, or by its description where the answer to its creation was still on the way
	assert.Regexp(t, "talos-tsbridge key revoke "+server.LiveKeys()[0].ID+"|an auth key may have been made .* described", run.stderr.String())
}

// A command gets the signals that are sent to us, also where standard input is none to type at.
func TestExecPassesEachSignalOn(t *testing.T) {
	t.Parallel()

	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	t.Cleanup(func() { _ = null.Close() })

	for _, by := range ending {
		output := &lockedBuffer{}
		command := exec.CommandContext(t.Context(), "talos-tsbridge", "exec", "--auth-key", "none", "--", "sh", "-c",
			`trap 'exit 9' INT TERM HUP QUIT; echo ready; while :; do sleep 0.01; done`, "sh", "@-")
		command.Env, command.Stdin, command.Stdout = os.Environ(), null, output
		require.NoError(t, command.Start())
		eventually(t, func() bool { return strings.Contains(output.String(), "ready") })
		require.NoError(t, command.Process.Signal(by))

		var exit *exec.ExitError

		require.ErrorAs(t, command.Wait(), &exit)
		assert.Equal(t, 9, exit.ExitCode(), by)
	}
}

// A report that nobody reads to its end does not keep a run from ending.
func TestPrintEndsWithItsContext(t *testing.T) {
	t.Parallel()

	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = reader.Close(), writer.Close() })

	ctx, cancel := context.WithCancelCause(t.Context())
	printed := make(chan error)

	go func() { printed <- (&program{stdout: writer}).print(ctx, bytes.Repeat([]byte("report\n"), 1<<20)) }()

	_, err = io.ReadFull(reader, make([]byte, 1))
	require.NoError(t, err)

	stopped := stopError{syscall.SIGTERM}
	cancel(stopped)
	require.ErrorIs(t, <-printed, stopped)
}
