package tailnet

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

// tables are what the main module knows about the programs; its own tests hold its code against the same files.
const tables = "../../containerboot/testdata/"

// TestTables holds the real programs against them. None of it needs a tailnet: the programs read their settings first.
func TestTables(t *testing.T) {
	rows(t, "environments.txt", func(t *testing.T, verdict string, variables []string) {
		// without tailscaled it ends where it would start that
		environment := append([]string{"PATH=/nonexistent", "TS_TEST_ONLY_ROOT=" + t.TempDir(), "TS_SOCKET=" + t.TempDir() + "/s", "TS_USERSPACE=false"}, variables...)

		said := run(t, environment, "containerboot")
		if settingsError.MatchString(said) != (verdict == "refused") {
			t.Errorf("%s %q: %s", verdict, variables, said)
		}
	})

	rows(t, "up.txt", func(t *testing.T, verdict string, texts []string) {
		arguments := append([]string{"--socket=" + t.TempDir() + "/s", "up"}, strings.Fields(texts[0])...)
		if verdict != "refused" {
			arguments = append(arguments, "--help") // flags are read in their order, and it would wait for tailscaled
		}

		checkFlags(t, verdict, texts[0], run(t, nil, "tailscale", arguments...))
	})

	rows(t, "tailscaled.txt", func(t *testing.T, verdict string, texts []string) {
		checkFlags(t, verdict, texts[0], run(t, nil, "tailscaled", append(strings.Fields(texts[0]), "--version")...))
	})
}

var (
	settingsError = regexp.MustCompile(`invalid configuration|error reading tailscaled config directory`)
	flagError     = regexp.MustCompile(`(?m)^(flag (needs an argument|provided)|invalid (value|boolean)|bad flag syntax|too many non-flag arguments)|does not take non-flag arguments`)
)

func checkFlags(t *testing.T, verdict, arguments, said string) {
	t.Helper()

	if flagError.MatchString(said) != (verdict == "refused") {
		line, _, _ := strings.Cut(said, "\n")
		t.Errorf("%s %q: %s", verdict, arguments, line)
	}
}

// TestFlagLists holds the list of flags against what the programs print.
func TestFlagLists(t *testing.T) {
	listed := map[string]bool{}

	rows(t, "flags.txt", func(_ *testing.T, program string, texts []string) {
		listed[program+" "+strings.Join(texts, " ")] = true
	})

	printed := map[string]bool{}

	for _, match := range regexp.MustCompile(`(?m)^  --([a-z0-9-]+)(, \S+)?( \S+)?$`).FindAllStringSubmatch(run(t, nil, "tailscale", "up", "--help"), -1) {
		printed["tailscale up "+match[1]+kind(match[2] != "")] = true
	}

	for _, match := range regexp.MustCompile(`(?m)^  -([a-z0-9-]+)( \S+)?$`).FindAllStringSubmatch(run(t, nil, "tailscaled", "--help"), -1) {
		printed["tailscaled "+match[1]+kind(match[2] == "")] = true
	}

	for flag := range printed {
		if !listed[flag] {
			t.Errorf("%s: not in flags.txt", flag)
		}
	}

	for flag := range listed {
		if !printed[flag] {
			t.Errorf("%s: the program does not have it", flag)
		}
	}
}

func kind(isBool bool) string {
	if isBool {
		return " bool"
	}

	return " value"
}

func rows(t *testing.T, name string, check func(t *testing.T, first string, others []string)) {
	t.Helper()

	text, err := os.ReadFile(tables + name)
	if err != nil {
		t.Fatal(err)
	}

	for line := range strings.Lines(string(text)) {
		if fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); !strings.HasPrefix(line, "#") {
			check(t, fields[0], fields[1:])
		}
	}
}

func run(t *testing.T, environment []string, program string, arguments ...string) string {
	t.Helper()

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	var said bytes.Buffer

	command := exec.CommandContext(ctx, filepath.Join(lab.Programs.Extension, program), arguments...)
	command.Env, command.Stdout, command.Stderr = environment, &said, &said

	_ = command.Run() // what it says tells why it ended
	if ctx.Err() != nil {
		t.Fatalf("%s %q does not end", program, arguments)
	}

	return said.String()
}
