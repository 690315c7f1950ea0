package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	markedBlock = regexp.MustCompile("(?m)^<!-- not run: [^\n]* -->\n```sh\n((?s:.*?))\n```$")
	inline      = regexp.MustCompile("`(talos-tsbridge [^`\n]*)`")
)

// What is not run all the same has the commands and flags that there are: each talos-tsbridge in it is asked for its help with
// the flags that it is given there, and nothing else of it is found.
func TestFlagsOfCommands(t *testing.T) {
	t.Parallel()

	folder := t.TempDir()
	binary, bin := buildProgram(t), filepath.Join(folder, "bin")

	require.NoError(t, os.Mkdir(bin, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(bin, "talos-tsbridge"), []byte(`#!/bin/sh
"$PROGRAM" --help=true "$@" > /dev/null 2> "$0.said" || { echo "talos-tsbridge $*: $(while read -r line; do echo "$line"; done < "$0.said")" >> "$FAULTS"; exit 1; }
echo "$*" >> "$SEEN"
`), 0o700))

	faults, seen := filepath.Join(folder, "faults"), filepath.Join(folder, "seen")
	snippets := map[string]string{} // and a document that each stands in

	for name, text := range documents(t) {
		for _, match := range markedBlock.FindAllStringSubmatch(text, -1) {
			snippets[match[1]] = name
		}

		for _, match := range inline.FindAllStringSubmatch(text, -1) {
			// in a table a pipe is escaped; dots and capitals stand for something
			snippets[strings.NewReplacer(`\|`, "|", " ...", "", " KEY ", " ").Replace(match[1])] = name
		}
	}

	for snippet, name := range snippets {
		require.NoError(t, os.RemoveAll(faults))

		shell := exec.CommandContext(t.Context(), "/bin/sh", "-c", snippet)
		shell.Dir = folder
		shell.Env = []string{"PATH=" + bin, "PROGRAM=" + binary, "FAULTS=" + faults, "SEEN=" + seen}
		_ = shell.Run() // what else stands there is not found

		said, err := os.ReadFile(faults)
		if err == nil {
			assert.Fail(t, "no such command", "%s: %s", name, said)
		}
	}

	text, err := os.ReadFile(seen)
	require.NoError(t, err)
	assert.Greater(t, strings.Count(string(text), "\n"), 20)
}
