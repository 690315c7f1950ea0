package attack

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode"
)

// observed is what a run of the program was like.
type observed struct {
	code int
	// said is all that it printed.
	said string
}

// observe runs the program, and judges what it prints and the memory that it takes against a bound in KiB.
func (r *run) observe(ctx context.Context, what string, bound int, json bool, args ...string) (observed, bool) {
	var stdout, stderr bytes.Buffer

	command := r.command(ctx, nil, args...)
	command.Stdout, command.Stderr = &stdout, &stderr

	if err := command.Start(); err != nil {
		r.lost("cannot start: " + err.Error())

		return observed{}, false
	}

	peak := peakMemory(ctx, command.Process.Pid)
	seen := observed{code: r.wait(command, &stderr, what), said: stdout.String() + stderr.String()}

	for _, text := range []string{stdout.String(), stderr.String()} {
		if found := unprintable(text, json); found != "" {
			r.leaked(fmt.Sprintf("%s: the terminal gets %q: %q", what, found, text))
		}
	}

	if took := peak(); took > 0 {
		r.tally.measured.Add(1)

		if took > bound {
			r.lost(fmt.Sprintf("%s: %d KiB of memory", what, took))
		}
	}

	const longest = 1 << 20
	if len(seen.said) > longest {
		r.lost(fmt.Sprintf("%s: %d bytes are printed", what, len(seen.said)))
	}

	return seen, true
}

// peakMemory watches what a process takes, and returns a function that stops the watch and gives the peak in KiB. It reads the
// kernel's high-water mark of the program: the one that wait reports begins with what this process had when it started the other.
// The peak is 0 where the program ended before it was seen.
func peakMemory(ctx context.Context, pid int) (stop func() int) {
	ctx, cancel := context.WithCancel(ctx)
	seen := make(chan int)
	this, _ := os.Readlink("/proc/self/exe")

	go func() {
		peak := 0

		for ticker := time.NewTicker(5 * time.Millisecond); ; {
			// while the program is not running yet, the process still is this one's copy
			if program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && program != this {
				peak = max(peak, highWater(pid))
			}

			select {
			case <-ctx.Done():
				ticker.Stop()

				seen <- peak

				return
			case <-ticker.C:
			}
		}
	}()

	return func() int {
		cancel()

		return <-seen
	}
}

// highWater returns the peak of a process's memory in KiB, or 0 for one that is gone.
func highWater(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}

	for line := range strings.Lines(string(status)) {
		var amount int

		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &amount); err == nil {
			return amount
		}
	}

	return 0
}

// unprintable returns what a terminal would act on. JSON is for programs, and holds all but what its form forbids.
func unprintable(text string, json bool) string {
	for _, one := range text {
		bidirectional := one >= 0x202a && one <= 0x202e || one >= 0x2066 && one <= 0x2069 || one == 0x200e || one == 0x200f

		if one != '\n' && one < 0x20 || !json && (unicode.IsControl(one) && one != '\n' || bidirectional) {
			return string(one)
		}
	}

	return ""
}
