package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

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
