package main

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/vbauerster/cupwriter"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
)

// upProgress tells what is being done: on a terminal a line for each node that is brought up, with how long that takes by now,
// elsewhere a line for each step.
type upProgress struct {
	program *program
	// stderr is what the program's standard error was, and out what is written to meanwhile: above the lines, where there are any.
	stderr, out io.Writer

	lines *mpb.Progress // nil where no person looks
	nodes map[string]*upLine
}

// upLine is the line of a node.
type upLine struct {
	bar   *mpb.Bar
	began time.Time
	stage atomic.Pointer[string]
}

func (p *program) newUpProgress(flags *upFlags) *upProgress {
	progress := &upProgress{program: p, stderr: p.stderr, out: p.stderr, nodes: map[string]*upLine{}}

	switch {
	case flags.quiet:
		progress.out = io.Discard
	case p.redraws():
		const refresh = 250 * time.Millisecond

		progress.lines = mpb.New(mpb.WithConsoleWriter(console(p.stderr)), mpb.WithAutoRefresh(), mpb.WithRefreshRate(refresh))
		progress.out, p.stderr = progress.lines, progress.lines
	}

	return progress
}

func (u *upProgress) stage(node *fleet.Node, stage string) {
	if u.lines == nil {
		if stage != "looking" {
			_, _ = fmt.Fprintf(u.out, "%s: %s\n", node.Name, stage) // there is nowhere left to report it
		}

		return
	}

	line := u.nodes[node.Name]
	if line != nil {
		line.stage.Store(&stage)

		return
	}

	line = &upLine{began: time.Now()}
	line.stage.Store(&stage)
	u.nodes[node.Name] = line

	line.bar = u.lines.New(0, mpb.NopStyle(), mpb.BarRemoveOnComplete(), mpb.PrependDecorators(decor.Any(func(decor.Statistics) string {
		return fmt.Sprintf("%s: %s, %s", node.Name, *line.stage.Load(), time.Since(line.began).Round(time.Second))
	})))
}

func (u *upProgress) node(report fleet.NodeReport) {
	if line := u.nodes[report.Node]; line != nil {
		line.bar.Abort(true)
	}

	if report.Outcome == fleet.OutcomeNotBegun {
		return
	}

	line := fmt.Sprintf("%s: %s, %s\n", report.Node, report.Outcome, whatOf(report))
	if report.Outcome == fleet.OutcomeDone {
		line = fmt.Sprintf("%s: %s, %s in %.1f s\n", report.Node, report.Outcome, whatOf(report), report.Seconds)
	}

	_, _ = io.WriteString(u.out, line) // there is nowhere left to report it
}

// end gives standard error back to the program.
func (u *upProgress) end() {
	if u.lines != nil {
		u.lines.Wait()
		u.program.stderr = u.stderr
	}
}

// console writes to a terminal over what was written before. Each write begins at the first column: the terminal itself echoes what a person
// types, such as ^C, and what stands left of the cursor would stay.
func console(stderr io.Writer) *cupwriter.Writer {
	writer := cupwriter.New(fromFirstColumn{stderr}, false)

	if file, ok := stderr.(*os.File); ok {
		writer.SetTermFd(int(file.Fd()))
	}

	return writer
}

type fromFirstColumn struct{ io.Writer }

func (w fromFirstColumn) Write(text []byte) (int, error) {
	n, err := w.Writer.Write(append([]byte{'\r'}, text...))

	return max(0, n-1), err
}
