package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

func credentials(server *tailnettest.Server) []string {
	return server.Environ(server.AddAPIToken())
}

// unread is an output whose reader does not read. It tells when it is written to.
type unread struct {
	written chan struct{}
	end     chan struct{}
}

func (u unread) Write([]byte) (int, error) {
	close(u.written)
	<-u.end

	return 0, io.ErrClosedPipe
}

// A run that is interrupted while it waits for the reader has not delivered its key.
func TestInterruptedWriteRevokesTheKey(t *testing.T) {
	t.Parallel()

	server := tailnettest.NewServer(t)

	ctx, interrupt := context.WithCancelCause(t.Context())
	output := unread{written: make(chan struct{}), end: make(chan struct{})}
	t.Cleanup(func() { close(output.end) })

	var stderr bytes.Buffer

	code := make(chan int, 1)

	go func() { code <- run(ctx, nil, credentials(server), strings.NewReader(""), output, &stderr) }()

	<-output.written
	require.Len(t, server.LiveKeys(), 1)
	interrupt(errors.New("interrupted"))

	require.Equal(t, exitFailed, <-code)
	assert.Empty(t, server.LiveKeys())
	assert.Contains(t, stderr.String(), "error: interrupted\n")
	assert.Contains(t, stderr.String(), "because it was not delivered")
}

// So it is with a signal that comes when the API has made the key and not answered yet.
func TestSignalWhileMintingLeavesNoKey(t *testing.T) {
	t.Parallel()

	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()

			server := tailnettest.NewServer(t)
			server.Fail(tailnettest.Fault{On: tailnettest.CreateKey, Handled: true, Delay: time.Minute})

			var stdout, stderr bytes.Buffer

			command := exec.CommandContext(t.Context(), "talos-tsbridge")
			command.Env = append(os.Environ(), credentials(server)...)
			command.Stdout, command.Stderr = &stdout, &stderr
			require.NoError(t, command.Start())

			require.Eventually(t, func() bool { return len(server.LiveKeys()) > 0 }, time.Minute, 5*time.Millisecond)
			require.NoError(t, command.Process.Signal(sig))

			var exit *exec.ExitError

			require.ErrorAs(t, command.Wait(), &exit)
			assert.Equal(t, exitFailed, exit.ExitCode())
			assert.Empty(t, server.LiveKeys())
			assert.NotContains(t, stdout.String(), "kind:")
			assert.Contains(t, stderr.String(), "error: ")
		})
	}
}
