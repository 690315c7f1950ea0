package verify_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

// The image has the shell and the nslookup of BusyBox, so the script runs with those, against a real name server.
func TestManifestScriptInBusyBox(t *testing.T) {
	t.Parallel()

	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("the Job's script in the shell of its image: there is no busybox here")
	}

	// its nslookup asks port 53 only
	packets, err := net.ListenPacket("udp", "127.0.0.153:53")
	if err != nil {
		t.Skip("the Job's script with the nslookup of its image: port 53 cannot be listened on here")
	}

	name := &nameServer{}
	server := &dns.Server{PacketConn: packets, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) { name.answer(w, q, false) })}
	started := make(chan struct{})
	server.NotifyStartedFunc = func() { close(started) }

	go func() { _ = server.ActivateAndServe() }()

	<-started
	t.Cleanup(func() { _ = server.Shutdown() })

	tools := t.TempDir()
	for _, tool := range []string{"sh", "nslookup", "tr", "cut", "sed", "sleep", "date", "tail", "sort", "grep"} {
		require.NoError(t, os.Symlink(busybox, filepath.Join(tools, tool)))
	}

	job, _ := decodeJob(t, manifest(t, verify.ManifestOptions{Timeout: time.Second},
		"dns://ok.test@127.0.0.153", "dns://six.test@127.0.0.153", "dns://nx.test@127.0.0.153", "dns://fail.test@127.0.0.153"))
	container := job.Spec.Template.Spec.Containers[0]

	command := exec.CommandContext(t.Context(), filepath.Join(tools, "sh"), append(container.Command[1:], container.Args...)...)
	command.Env = []string{"PATH=" + tools}
	output, err := command.CombinedOutput()

	var exit *exec.ExitError

	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 1, exit.ExitCode())
	assert.Contains(t, string(output), "ok      dns://ok.test@127.0.0.153  ")
	assert.Contains(t, string(output), "ok      dns://six.test@127.0.0.153  ")
	assert.Contains(t, string(output), "FAILED  dns://nx.test@127.0.0.153  no-such-name: ")
	assert.Contains(t, string(output), "NXDOMAIN")
	assert.Contains(t, string(output), "FAILED  dns://fail.test@127.0.0.153  servfail: ")
	assert.NotContains(t, string(output), "not found", "a tool that the script needs and this test does not give")
}
