package attack

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

var (
	runs     = flag.Int("attack.runs", 60, "runs of each area")
	first    = flag.Int("attack.first", 0, "number of the first run, to repeat one of a seed")
	parallel = flag.Int("attack.parallel", 4, "runs at a time")
	seed     = flag.Uint64("attack.seed", 1, "seed of the runs; 0: a new one")
	talosctl = flag.String("attack.talosctl", os.Getenv("TALOSCTL"), "talosctl, for the areas that need it")
	binary   = flag.String("attack.binary", "", "the program; default: it is built")
)

// hang is how long a run may take, on a machine that has much else to do.
const hang = 4 * time.Minute

// tally counts what went wrong in an area.
type tally struct {
	guard                                       sync.Mutex
	runs, panics, hangs, leaks, orphans, losses int
	said                                        []string

	// measured are the runs whose memory was seen.
	measured atomic.Int64
}

// add counts a finding, and keeps what is needed to repeat it.
func (t *tally) add(count *int, of string, run int, text string) {
	t.guard.Lock()
	defer t.guard.Unlock()

	*count++

	const enough = 20
	if len(t.said) < enough {
		t.said = append(t.said, fmt.Sprintf("%s in run %d: %s", of, run, text))
	}
}

// attack runs an area, prints its line, and fails for everything that is not zero. It returns what was counted.
func attack(t *testing.T, name string, one func(ctx context.Context, r *run)) *tally {
	t.Helper()

	start := *seed
	if start == 0 {
		start = rand.Uint64()
	}

	program := build(t)
	counts := &tally{}

	var group errgroup.Group

	group.SetLimit(*parallel)

	for i := *first; i < *first+*runs; i++ {
		group.Go(func() error {
			dir, err := os.MkdirTemp(t.TempDir(), "run")
			if err != nil {
				return err
			}

			defer os.RemoveAll(dir) //nolint:errcheck // the folder of the test goes too

			one(t.Context(), &run{
				Rand: rand.New(&sharedSource{source: rand.NewPCG(start, uint64(i))}), number: i, program: program, dir: dir, tally: counts,
			})

			counts.guard.Lock()
			counts.runs++
			counts.guard.Unlock()

			return nil
		})
	}

	require.NoError(t, group.Wait())
	fmt.Printf("attack | %-24s | %6d runs | %d panics | %d hangs | %d leaks | %d orphans | %d lost | seed %d\n",
		name, counts.runs, counts.panics, counts.hangs, counts.leaks, counts.orphans, counts.losses, start)

	if len(counts.said) > 0 {
		t.Errorf("seed %d:\n%s", start, strings.Join(counts.said, "\n"))
	}

	return counts
}

var buildOnce = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "attack")
	if err != nil {
		return "", err
	}

	path := filepath.Join(dir, "talos-tsbridge")

	output, err := exec.Command("go", "build", "-o", path, "github.com/talos-tsbridge/talos-tsbridge/cmd/talos-tsbridge").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, output)
	}

	return path, nil
})

func build(t *testing.T) string {
	t.Helper()

	if *binary != "" {
		return *binary
	}

	path, err := buildOnce()
	require.NoError(t, err)

	return path
}

func TestMain(m *testing.M) {
	code := m.Run()

	if *binary == "" {
		if path, err := buildOnce(); err == nil {
			_ = os.RemoveAll(filepath.Dir(path))
		}
	}

	os.Exit(code)
}

// sharedSource is a source of random numbers for a run and the servers that it started.
type sharedSource struct {
	guard  sync.Mutex
	source rand.Source
}

func (s *sharedSource) Uint64() uint64 {
	s.guard.Lock()
	defer s.guard.Unlock()

	return s.source.Uint64()
}

// run is one attack.
type run struct {
	*rand.Rand

	number  int
	program string
	dir     string
	tally   *tally
}

func (r *run) panicked(text string) { r.tally.add(&r.tally.panics, "panic", r.number, text) }
func (r *run) hung(text string)     { r.tally.add(&r.tally.hangs, "hang", r.number, text) }
func (r *run) leaked(text string)   { r.tally.add(&r.tally.leaks, "leak", r.number, text) }
func (r *run) orphaned(text string) { r.tally.add(&r.tally.orphans, "orphan", r.number, text) }
func (r *run) lost(text string)     { r.tally.add(&r.tally.losses, "lost", r.number, text) }

// pick returns one of several.
func pick[T any](r *run, of ...T) T { return of[r.IntN(len(of))] }

// chance reports true in one of n cases.
func (r *run) chance(n int) bool { return r.IntN(n) == 0 }

// command returns the program with nothing of this process's environment but what programs need.
func (r *run) command(ctx context.Context, env []string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, r.program, args...)
	command.Dir = r.dir
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "GOTRACEBACK=all"}, env...)

	return command
}

// wait waits for a command that was started, and judges its end.
func (r *run) wait(command *exec.Cmd, stderr *bytes.Buffer, what string) (code int) {
	alarm := time.AfterFunc(hang, func() {
		r.hung(what)
		_ = command.Process.Kill()
	})
	defer alarm.Stop()

	err := command.Wait()

	// SIGQUIT before the program has begun is the Go runtime's own
	if text := stderr.String(); !strings.Contains(text, "SIGQUIT: quit") && (strings.Contains(text, "panic:") || strings.Contains(text, "goroutine ") || strings.Contains(text, "fatal error:")) {
		r.panicked(what + ": " + text)
	}

	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}

	return command.ProcessState.ExitCode()
}
