package verify_test

import (
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/report"
)

// The Job says of each server of the matrix what this program says: its script runs with curl, and with the shell of BusyBox
// where that is there.
func TestManifestScriptAgrees(t *testing.T) {
	t.Parallel()

	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("the Job's script with curl: there is no curl here")
	}

	if version, err := exec.CommandContext(t.Context(), curl, "--version").Output(); err != nil || !strings.Contains(string(version), "OpenSSL") {
		t.Skip("the Job's script with curl: this one has no OpenSSL, as that of the image has")
	}

	const host = "vault.tail1234.ts.net"

	shell := "/bin/sh"
	if busybox, err := exec.LookPath("busybox"); err == nil {
		shell = filepath.Join(t.TempDir(), "sh")
		require.NoError(t, os.Symlink(busybox, shell))
	}

	servers, trusted, root := matrixServers(t, host)
	cas := filepath.Join(t.TempDir(), "ca.crt")
	require.NoError(t, os.WriteFile(cas, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}), 0o600))

	asked := 0

	for _, server := range servers {
		if server.at == "" {
			continue // what is dropped is asked for in namespaces
		}

		asked++

		t.Run(server.name, func(t *testing.T) {
			t.Parallel()

			address, port, err := net.SplitHostPort(server.at)
			require.NoError(t, err)

			timeout := patient
			if server.want == verify.CodeTLSStalled {
				timeout = 2 * time.Second
			}

			target := fmt.Sprintf("https://%s:%s/@%s", host, port, address)
			job, _ := decodeJob(t, manifest(t, verify.ManifestOptions{Timeout: timeout, CAs: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw})}, target))
			script := strings.ReplaceAll(job.Spec.Template.Spec.Containers[0].Args[0], "/etc/talos-tsbridge/ca.crt", cas)

			command := exec.CommandContext(t.Context(), shell, "-c", script)
			log, _ := command.CombinedOutput() // what it ends with is in its lines

			said, err := report.Read(log)
			require.NoError(t, err, string(log))
			require.Len(t, said, 1)

			own := check(t, &verify.Checker{CAs: trusted, Timeout: timeout}, target)
			assert.Equal(t, own[0].Outcome, said[0].Outcome, "%s", log)
			assert.Equal(t, worth(verify.Diagnose(own)), worth(verify.Diagnose(said)), "%s", log)
		})
	}

	assert.Greater(t, asked, 15)
}

// worth are the codes of findings that the Job can tell as well: how long a certificate lasts is not among them.
func worth(findings []verify.Finding) []verify.Code {
	var told []verify.Code

	for _, finding := range findings {
		if finding.Code != verify.CodeTLSExpires {
			told = append(told, finding.Code)
		}
	}

	return told
}
