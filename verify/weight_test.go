package verify_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A program that only tries targets carries neither Talos's machinery nor a gRPC client.
func TestWeight(t *testing.T) {
	t.Parallel()

	if testing.Short() {
		t.Skip("links a program")
	}

	dependencies, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)

	for _, heavy := range []string{"siderolabs", "cosi-project", "google.golang.org", "yaml"} {
		assert.NotContains(t, string(dependencies), heavy)
	}

	const module = "github.com/talos-tsbridge/talos-tsbridge"

	source := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(source, []byte(`package main

import (
	"context"
	"fmt"

	"`+module+`/verify"
)

func main() {
	targets, err := verify.ParseTargets("tcp://127.0.0.1:1")
	fmt.Println(verify.Diagnose((&verify.Checker{}).Check(context.Background(), targets)), err)
}
`), 0o600))

	binary := filepath.Join(t.TempDir(), "program")
	said, err := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", binary, source).CombinedOutput()
	require.NoError(t, err, strings.TrimSpace(string(said)))

	built, err := os.Stat(binary)
	require.NoError(t, err)
	t.Logf("%.1f MB", float64(built.Size())/1e6)

	const most = 9_000_000
	assert.LessOrEqual(t, built.Size(), int64(most))
}
