package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

// upResult is how it went with the nodes, and what is wrong with their devices where these were looked at.
type upResult struct {
	*fleet.Report

	Findings []verify.Finding `json:"findings,omitempty"`
}

// writeUp prints how it went with each node.
func (p *program) writeUp(ctx context.Context, flags *upFlags, result upResult) error {
	var text bytes.Buffer

	if flags.output == outputJSON {
		encoder := json.NewEncoder(&text)
		encoder.SetIndent("", "  ")

		if err := encoder.Encode(result); err != nil {
			return err
		}
	} else {
		if err := writeUpTable(&text, result.Report, flags); err != nil {
			return err
		}

		table := tableWriter{out: &text, colour: p.wantsColour()}
		table.findings(result.Findings)
	}

	return p.print(ctx, text.Bytes())
}

func writeUpTable(to io.Writer, report *fleet.Report, flags *upFlags) error {
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "NODE\tADDRESS\tTAILNET\tOUTCOME\tWHAT") // the buffer below takes it

	for _, node := range report.Nodes {
		address := "-"
		if len(node.TailnetAddresses) > 0 {
			address = node.TailnetAddresses[0].String()
		}

		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", node.Node, node.Address, address, node.Outcome, whatOf(node))
	}

	if err := table.Flush(); err != nil {
		return err
	}

	detailed := false

	for _, node := range report.Nodes {
		detailed = detailed || hasDetails(node)
		writeUpDetails(to, node, flags)
	}

	if detailed {
		_, _ = fmt.Fprintln(to)
	}

	_, err := fmt.Fprintln(to, upSummary(report, flags.dryRun))

	return err
}

// whatOf says in a few words what was, or is to be, done.
func whatOf(node fleet.NodeReport) string {
	words := map[fleet.Action]string{
		fleet.ActionNone: "nothing to do", fleet.ActionRemoveKey: "key taken out of its config", fleet.ActionConfigure: "config changed",
		fleet.ActionLogin: "logged in again", fleet.ActionJoin: "joined", fleet.ActionInstall: "installed and joined", fleet.ActionRefuse: "refused",
	}

	if node.Outcome == fleet.OutcomePlanned {
		words = map[fleet.Action]string{
			fleet.ActionRemoveKey: "key to be taken out of its config", fleet.ActionConfigure: "config to be changed",
			fleet.ActionLogin: "to log in again", fleet.ActionJoin: "to join", fleet.ActionInstall: "to be installed and to join",
		}
	}

	if node.Code != "" {
		return string(node.Code)
	}

	return words[node.Action]
}

func hasDetails(node fleet.NodeReport) bool {
	return node.Cause != "" || node.Outcome == fleet.OutcomePlanned
}

// writeUpDetails prints what the table has no room for: what is planned, and why a node failed.
func writeUpDetails(to io.Writer, node fleet.NodeReport, flags *upFlags) {
	if !hasDetails(node) {
		return
	}

	planned := node.Outcome == fleet.OutcomePlanned

	_, _ = fmt.Fprintf(to, "\n%s\n", node.Node) // the buffer takes it

	if planned {
		for _, line := range node.Says {
			_, _ = fmt.Fprintln(to, "  "+line)
		}
	}

	if node.Cause != "" {
		_, _ = fmt.Fprintln(to, "  "+node.Cause)
	}

	for _, next := range node.Next {
		_, _ = fmt.Fprintln(to, "  next: "+next)
	}

	if flags.diff && planned {
		_, _ = fmt.Fprint(to, indented(node.Diff()))
	}
}

func indented(text string) string {
	var lines strings.Builder

	for line := range strings.Lines(text) {
		lines.WriteString("  " + line)
	}

	return lines.String()
}

// upProgress tells what is being done: on a terminal in lines that are overwritten, elsewhere a line for each step.
type upProgress struct {
	out      io.Writer
	terminal bool

	began map[string]time.Time
	now   map[string]string
	order []string
	shown int
}

func (p *program) newUpProgress(flags *upFlags) *upProgress {
	progress := &upProgress{out: p.stderr, terminal: isTerminal(p.stderr), began: map[string]time.Time{}, now: map[string]string{}}
	if flags.quiet {
		progress.out = io.Discard
	}

	return progress
}

func (u *upProgress) stage(node *fleet.Node, stage string) {
	if _, known := u.began[node.Name]; !known {
		u.began[node.Name] = time.Now()
		u.order = append(u.order, node.Name)
	}

	u.now[node.Name] = stage

	if u.terminal {
		u.draw()
	} else if stage != "looking" {
		_, _ = fmt.Fprintf(u.out, "%s: %s\n", node.Name, stage) // there is nowhere left to report it
	}
}

func (u *upProgress) node(report fleet.NodeReport) {
	if report.Outcome == fleet.OutcomeNotBegun {
		return
	}

	line := fmt.Sprintf("%s: %s, %s\n", report.Node, report.Outcome, whatOf(report))
	if report.Outcome == fleet.OutcomeDone {
		line = fmt.Sprintf("%s: %s, %s in %.1f s\n", report.Node, report.Outcome, whatOf(report), report.Seconds)
	}

	u.order = slices.DeleteFunc(u.order, func(name string) bool { return name == report.Node })

	u.erase()

	_, _ = io.WriteString(u.out, line) // there is nowhere left to report it

	if u.terminal {
		u.draw()
	}
}

// draw shows a line for each node that is being brought up.
func (u *upProgress) draw() {
	u.erase()

	const most = 12

	for _, name := range u.order[:min(len(u.order), most)] {
		line := fmt.Sprintf("%s: %s, %s", name, u.now[name], time.Since(u.began[name]).Round(time.Second))

		const widest = 79

		_, _ = fmt.Fprintln(u.out, line[:min(len(line), widest)]) // a line that wraps cannot be erased
		u.shown++
	}
}

// erase takes away what draw has shown.
func (u *upProgress) erase() {
	if u.terminal && u.shown > 0 {
		_, _ = fmt.Fprintf(u.out, "\x1b[%dA\x1b[J", u.shown)
		u.shown = 0
	}
}

func (u *upProgress) end() { u.erase() }
