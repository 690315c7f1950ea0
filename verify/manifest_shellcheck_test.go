package verify_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

// What runs in somebody else's cluster is held to what a linter says of a POSIX shell.
func TestManifestScriptLint(t *testing.T) {
	t.Parallel()

	shellcheck, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Skip("there is no shellcheck")
	}

	for _, options := range []verify.ManifestOptions{{}, {Insecure: true}} {
		job, _ := decodeJob(t, manifest(t, options, "tcp://100.82.13.87:8200", "https://vault.test:8200/health@100.82.13.87", "dns://vault.test",
			"dns://vault.test@100.100.100.100", "tailnet://vault.test"))

		container := job.Spec.Template.Spec.Containers[0]
		require.Equal(t, []string{"/bin/sh", "-c"}, container.Command)
		require.NotEmpty(t, container.Args)

		lint := exec.CommandContext(t.Context(), shellcheck, "--shell=sh", "-")
		lint.Stdin = strings.NewReader(container.Args[0])

		output, err := lint.CombinedOutput()
		require.NoError(t, err, string(output))
	}
}
