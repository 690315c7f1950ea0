package pipes_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/pipes"
)

// shell runs a script that finds the names of the payloads in $1, $2 and so on, and returns what it prints.
func shell(t *testing.T, script string, payloads ...string) ([]pipes.Use, string, error) {
	t.Helper()

	if runtime.GOOS == "windows" {
		t.Skip("no /dev/fd")
	}

	var output bytes.Buffer

	command := &pipes.Command{Args: []string{"sh", "-c", script, "sh"}, Env: os.Environ(), Stdout: &output, Stderr: &output}
	for _, text := range payloads {
		command.Payloads = append(command.Payloads, pipes.Payload{Argument: len(command.Args), Text: []byte(text)})
		command.Args = append(command.Args, "@-")
	}

	uses, err := command.Run(t.Context())

	return uses, output.String(), err
}

func TestArgumentsNameThePayloads(t *testing.T) {
	t.Parallel()

	uses, output, err := shell(t, `echo "$1 $2"; cat "$2" "$1"`, "one", "two")
	require.NoError(t, err)
	assert.Equal(t, "/dev/fd/3 /dev/fd/4\ntwoone", output)
	assert.Equal(t, []int{1, 1}, []int{uses[0].Readers, uses[1].Readers})
}

func TestUse(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		script  string
		readers int
		linux   int
	}{
		"nobody":                  {`true`, 0, 0},
		"once":                    {`cat "$1"`, 1, 1},
		"twice":                   {`cat "$1"; cat "$1"`, 1, 2},
		"without opening it":      {`cat <&3`, 1, 1},
		"a part":                  {`head -c 1 "$1"`, 1, 1},
		"a process of a process":  {`sh -c 'cat "$1"' sh "$1"`, 1, 1},
		"after it was closed":     {`exec 3<&-; cat "$1" || true`, 0, 0},
		"after the command ended": {`(sleep 0.1; exec cat "$1") >/dev/null 2>&1 &`, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			uses, _, err := shell(t, tt.script, "text")
			require.NoError(t, err)

			want := tt.readers
			if pipes.RepeatedReads {
				want = tt.linux
			}

			assert.Equal(t, want, uses[0].Readers)
			assert.False(t, uses[0].Unknown)
		})
	}
}

// Every reader gets the whole, which is more than a pipe holds, and nobody can change it for another.
func TestRepeatedReads(t *testing.T) {
	t.Parallel()

	if !pipes.RepeatedReads {
		t.Skip("a pipe has one reader")
	}

	large := strings.Repeat("0123456789abcdef", 1<<16)

	uses, output, err := shell(t, `cat "$1"; echo changed > "$1"; echo changed 1<> "$1"; echo changed >> "$1"; cat "$1"`, large)
	require.NoError(t, err)
	assert.Equal(t, 2, strings.Count(output, large))
	assert.NotContains(t, output, "changed")
	assert.GreaterOrEqual(t, uses[0].Readers, 2)
}

// The command's failure comes with what became of the payloads.
func TestFailure(t *testing.T) {
	t.Parallel()

	uses, _, err := shell(t, `cat "$1"; exit 7`, "one", "two")

	exit, ok := errors.AsType[*exec.ExitError](err)
	require.True(t, ok, err)
	assert.Equal(t, 7, exit.ExitCode())
	assert.Equal(t, []int{1, 0}, []int{uses[0].Readers, uses[1].Readers})

	command := &pipes.Command{Args: []string{"no-such-command", "@-"}, Payloads: []pipes.Payload{{Argument: 1, Text: []byte("one")}}}
	uses, err = command.Run(t.Context())
	require.ErrorContains(t, err, "cannot be run")
	assert.Empty(t, uses, "nothing became of a payload")

	require.ErrorContains(t, pipes.Find("no-such-command"), "cannot be run")
	require.NoError(t, pipes.Find("sh"))
}

// Arguments, environment and the names of open files hold nothing of a payload, and no file holds it.
func TestNothingOfAPayloadShows(t *testing.T) {
	t.Parallel()

	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Skip("no /proc")
	}

	_, output, err := shell(t, `tr '\0' '\n' < /proc/$$/cmdline; env; ls -l /proc/$$/fd/ /proc/$PPID/fd/`, "canary")
	require.NoError(t, err)
	assert.NotContains(t, output, "canary")
}
