package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

//go:generate go test -run ^(TestReference|TestPicture)$ -update .

var (
	updateReference = flag.Bool("update", false, "rewrite docs/reference")
	manFolder       = flag.String("man", "", "write the man pages into this folder")
)

const referenceFolder = "../../docs/reference"

// docs/reference is what the commands say about themselves.
func TestReference(t *testing.T) {
	t.Parallel()

	pages := map[string]string{}
	reference(t, (&program{}).rootCommand(), pages)

	if *updateReference {
		require.NoError(t, os.RemoveAll(referenceFolder))
		require.NoError(t, os.MkdirAll(referenceFolder, 0o755))

		for name, page := range pages {
			require.NoError(t, os.WriteFile(filepath.Join(referenceFolder, name), []byte(page), 0o644))
		}
	}

	files, err := filepath.Glob(filepath.Join(referenceFolder, "*"))
	require.NoError(t, err)
	assert.Len(t, files, len(pages), "run go generate ./cmd/talos-tsbridge")

	for name, page := range pages {
		text, err := os.ReadFile(filepath.Join(referenceFolder, name))
		require.NoError(t, err, "run go generate ./cmd/talos-tsbridge")
		assert.Equal(t, page, string(text), "%s: run go generate ./cmd/talos-tsbridge", name)
	}
}

// reference adds the page of a command and of those below it.
func reference(t *testing.T, cmd *cobra.Command, pages map[string]string) {
	t.Helper()

	if cmd.Hidden || cmd.Name() == "help" || cmd.Name() == "completion" {
		return // cobra's own
	}

	cmd.DisableAutoGenTag = true

	var page bytes.Buffer

	require.NoError(t, doc.GenMarkdown(cmd, &page))
	page.WriteString(variables(cmd))

	pages[strings.ReplaceAll(cmd.CommandPath(), " ", "_")+".md"] = page.String()

	for _, child := range cmd.Commands() {
		reference(t, child, pages)
	}
}

// variables is the section of a page that lists the variables that stand for flags.
func variables(cmd *cobra.Command) string {
	var rows strings.Builder

	cmd.NonInheritedFlags().VisitAll(func(flag *pflag.Flag) {
		if isVariable(flag) && !flag.Hidden {
			fmt.Fprintf(&rows, "| `--%s` | `%s` |\n", flag.Name, variableOf(flag))
		}
	})

	if rows.Len() == 0 {
		return ""
	}

	return "\n### Variables\n\n| flag | variable |\n|---|---|\n" + rows.String()
}

// The man pages go into the archives of a release.
func TestManPages(t *testing.T) {
	t.Parallel()

	folder := *manFolder
	if folder == "" {
		folder = t.TempDir()
	}

	root := (&program{}).rootCommand()
	root.DisableAutoGenTag = true
	require.NoError(t, doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "talos-tsbridge", Manual: "talos-tsbridge"}, folder))
	assert.FileExists(t, filepath.Join(folder, "talos-tsbridge.1"))
	assert.FileExists(t, filepath.Join(folder, "talos-tsbridge-verify.1"))
}
