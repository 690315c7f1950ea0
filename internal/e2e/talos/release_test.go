package talos

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/talos/protocol"
)

// release is a Talos, as the probe that was compiled against its machinery.
type release struct {
	version string // for example "v1.7.0"
	minor   int
	probe   string // the program
	configs string // the folder of its generated configs
}

// contract is that of the configs which the release generates by default.
func (r release) contract() string { return contract(r.minor) }

func contract(minor int) string { return fmt.Sprintf("v1.%d", minor) }

// releases are those of the module files, oldest first.
var releases []release

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error

	releases, err = buildReleases()
	if err != nil {
		fmt.Fprintln(os.Stderr, "talos:", err)

		return 1
	}

	return m.Run()
}

func buildReleases() ([]release, error) {
	cache, err := cacheFolder()
	if err != nil {
		return nil, err
	}

	// A change of the generator makes the configs of earlier runs stale.
	generator, err := os.ReadFile("probe/generator.go")
	if err != nil {
		return nil, err
	}

	configs := filepath.Join(cache, fmt.Sprintf("talos-configs-%.4x", sha256.Sum256(generator)))

	moduleFiles, err := filepath.Glob("machinery/*.mod")
	if err != nil {
		return nil, err
	}

	var built []release

	for _, moduleFile := range moduleFiles {
		r := release{version: strings.TrimSuffix(filepath.Base(moduleFile), ".mod")}

		if _, err := fmt.Sscanf(r.version, "v1.%d.", &r.minor); err != nil {
			return nil, fmt.Errorf("%s is not named after a release: %w", moduleFile, err)
		}

		r.probe = filepath.Join(cache, "talos-probe", r.version)
		r.configs = filepath.Join(configs, r.version)

		if err := os.MkdirAll(r.configs, 0o700); err != nil {
			return nil, err
		}

		if _, err := os.Stat(r.probe); err != nil {
			fmt.Println("talos: building the probe of", r.version)
		}

		build := exec.Command("go", "build", "-modfile="+moduleFile, "-o", r.probe, "./probe")
		build.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")

		if output, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build the probe of %s: %w\n%s", r.version, err, output)
		}

		built = append(built, r)
	}

	slices.SortFunc(built, func(a, b release) int { return a.minor - b.minor })

	return built, nil
}

func cacheFolder() (string, error) {
	if folder := os.Getenv("E2E_CACHE"); folder != "" {
		return filepath.Abs(folder)
	}

	folder, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder, set E2E_CACHE: %w", err)
	}

	return filepath.Join(folder, "talos-tsbridge-e2e"), nil
}

// try has the release judge the cases.
func (r release) try(t *testing.T, cases ...protocol.Case) []protocol.Outcome {
	t.Helper()

	request, err := json.Marshal(protocol.Request{Cases: cases})
	if err != nil {
		t.Fatal(err)
	}

	var stdout, stderr bytes.Buffer

	// The first run generates keys for each contract.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()

	probe := exec.CommandContext(ctx, r.probe, "--configs", r.configs)
	probe.Stdin = bytes.NewReader(request)
	probe.Stdout = &stdout
	probe.Stderr = &stderr

	if err := probe.Run(); err != nil {
		t.Fatalf("probe of %s: %v\n%s", r.version, err, &stderr)
	}

	var response protocol.Response

	if err := json.Unmarshal(stdout.Bytes(), &response); err != nil {
		t.Fatal(err)
	}

	if len(response.Outcomes) != len(cases) {
		t.Fatalf("probe of %s: %d outcomes for %d cases", r.version, len(response.Outcomes), len(cases))
	}

	return response.Outcomes
}
