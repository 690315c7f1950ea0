package lab

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"testing"
)

// Report is what verify prints with -o json.
type Report struct {
	Raw      []byte
	Findings []struct {
		Code     string   `json:"code"`
		Cause    string   `json:"cause"`
		Subjects []string `json:"subjects"`
	} `json:"findings"`
}

func (r Report) Finds(t testing.TB, code string) {
	t.Helper()

	for _, finding := range r.Findings {
		if finding.Code == code {
			return
		}
	}

	t.Errorf("verify does not find %s but %+v", code, r.Findings)
}

// Verify runs our binary inside the namespace.
func Verify(t testing.TB, place *Namespace, wantCode int, arguments ...string) Report {
	t.Helper()

	command := place.Command(slices.Concat([]string{Programs.Bridge, "verify", "--timeout=2s", "-o", "json"}, arguments)...)
	command.Env = []string{"PATH=" + os.Getenv("PATH")}

	output, err := command.Output()

	code := 0

	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}

	result := Report{Raw: output}
	if err := json.Unmarshal(output, &result); err != nil {
		t.Fatalf("verify %v: %v\n%s", arguments, err, output)
	}

	if code != wantCode {
		t.Errorf("verify %v ends with %d, want %d:\n%s", arguments, code, wantCode, output)
	}

	return result
}
