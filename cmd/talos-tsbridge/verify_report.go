package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/devices"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
	"github.com/talos-tsbridge/talos-tsbridge/verify/report"
)

// The forms of the output.
const (
	outputTable = "table"
	outputJSON  = "json"
	outputYAML  = "yaml"
)

// failureOf returns the error that ends the program, with its exit code, or nil when nothing is wrong.
func failureOf(found *report.Report) error {
	count := map[verify.Severity]int{}
	for _, finding := range found.Findings {
		count[finding.Severity]++
	}

	switch found.Worst() {
	case verify.SeverityFault:
		return exitError{fmt.Errorf("%s found", counted(count[verify.SeverityFault], "fault", "faults")), exitFailed}
	case verify.SeverityUnknown:
		return exitError{fmt.Errorf("%s could not be looked at", counted(count[verify.SeverityUnknown], "thing", "things")), exitUnseen}
	default:
		return nil
	}
}

func (p *program) writeReport(ctx context.Context, form string, found *report.Report) error {
	var text bytes.Buffer

	if form == outputJSON {
		if err := found.WriteJSON(&text); err != nil {
			return fmt.Errorf("encoding the results: %w", err)
		}
	} else {
		table := tableWriter{out: &text, colour: p.wantsColour()}
		table.results(found.Results)
		table.nodes(found.Nodes)
		table.devices(found.Tailnet)
		table.findings(found.Findings)
	}

	return p.print(ctx, text.Bytes())
}

// wantsColour reports whether a person reads the table, and has not asked for no colours (https://no-color.org).
func (p *program) wantsColour() bool {
	_, isFile := p.stdout.(*os.File)

	return isFile && isTerminal(p.stdout) && p.environment["NO_COLOR"] == "" && p.environment["TERM"] != "dumb"
}

// tableWriter writes results for a person.
type tableWriter struct {
	out    *bytes.Buffer
	colour bool
}

// The colours, as terminals number them.
const (
	red    = 31
	green  = 32
	yellow = 33
)

func (t tableWriter) paint(colour int, text string) string {
	if !t.colour {
		return text
	}

	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", colour, text)
}

func (t tableWriter) results(results []verify.Result) {
	if len(results) == 0 {
		return
	}

	rows := [][]string{{"RESULT", "TARGET", "TIME", "DETAIL"}}
	for _, result := range results {
		rows = append(rows, []string{string(result.Outcome), result.Target, result.Latency.String(), detailOf(result)})
	}

	t.rows(rows, func(i int) int {
		if results[i].OK() {
			return green
		}

		return red
	})
}

// rows writes rows in columns, whatever is in their cells. The first row is a heading; the first cell of the others has a colour.
func (t tableWriter) rows(rows [][]string, colourOf func(row int) int) {
	const widest = 300

	widths := make([]int, len(rows[0]))

	for _, row := range rows {
		for i, cell := range row {
			cell = printable.Clip(printable.Line(cell), widest)
			row[i] = cell
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}

	for i, row := range rows {
		var line strings.Builder

		for j, cell := range row {
			painted := cell
			if i > 0 && j == 0 {
				painted = t.paint(colourOf(i-1), cell)
			}

			const gap = 3

			line.WriteString(painted + strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell)+gap))
		}

		t.out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// detailOf returns what else is worth knowing about a result.
func detailOf(result verify.Result) string {
	if !result.OK() {
		if result.Attempts > 1 {
			return fmt.Sprintf("%s (%d attempts)", result.Detail, result.Attempts)
		}

		return result.Detail
	}

	var parts []string

	switch {
	case result.Kind == verify.KindTalos && result.APIVersion != "":
		parts = append(parts, "Talos "+result.APIVersion)
	case result.Kind == verify.KindDNS && result.DNS != nil:
		parts = append(parts, addresses(result.DNS.Addresses))
	case result.DNS != nil && result.Address.IsValid():
		parts = append(parts, result.Address.String())
	}

	if result.Status != 0 {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%d %s", result.Status, http.StatusText(result.Status))))
	}

	if result.TLS != nil && len(result.TLS.Chain) > 0 {
		server := result.TLS.Chain[0]

		text := fmt.Sprintf("%s by %s until %s", server.Subject, server.Issuer, server.NotAfter.UTC().Format("2006-01-02"))
		if result.TLS.Version != "" {
			text = result.TLS.Version + ", " + text
		}

		if !result.TLS.Verified {
			text += " (not verified)"
		}

		parts = append(parts, text)
	}

	if result.Attempts > 1 {
		parts = append(parts, fmt.Sprintf("at attempt %d", result.Attempts))
	}

	return strings.Join(parts, ", ")
}

func (t tableWriter) nodes(seen []nodes.Node) {
	if len(seen) == 0 {
		return
	}

	if t.out.Len() > 0 {
		t.out.WriteString("\n")
	}

	rows := [][]string{{"SERVICE", "NODE", "NAME", "EXTENSION", "FOR", "RESTARTS", "TAILNET", "NODE IP", "ETCD"}}

	for _, node := range seen {
		state, since, restarts := "-", "-", "-"

		switch {
		case node.Failure != "":
			state = "unknown"
		case node.Service != nil:
			state, since, restarts = node.Service.State, time.Duration(node.Service.For).Round(time.Second).String(), strconv.Itoa(node.Service.Restarts)
		}

		rows = append(rows, []string{
			state, node.Address, orDash(node.Name), orDash(node.Extension), since, restarts,
			addresses(node.TailnetAddresses), addresses(node.NodeIPs), addresses(node.EtcdAddresses),
		})
	}

	t.rows(rows, func(i int) int {
		switch {
		case seen[i].Failure != "":
			return yellow
		case seen[i].Service != nil && seen[i].Service.State == "Running":
			return green
		default:
			return red
		}
	})
}

func (t tableWriter) devices(fetched *devices.Tailnet) {
	if fetched == nil || len(fetched.Devices) == 0 {
		return
	}

	if t.out.Len() > 0 {
		t.out.WriteString("\n")
	}

	t.deviceRows(fetched.Devices)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}

	return text
}

func addresses(list []netip.Addr) string {
	const most = 8

	texts := make([]string, 0, len(list))
	for _, address := range list {
		texts = append(texts, address.String())
	}

	return orDash(strings.Join(printable.First(most, texts), ","))
}

func (t tableWriter) findings(findings []verify.Finding) {
	for _, finding := range findings {
		colour := yellow
		if finding.Severity == verify.SeverityFault {
			colour = red
		}

		fmt.Fprintf(t.out, "\n%s %s\n", t.paint(colour, printable.Line(string(finding.Severity))+":"), printable.Line(finding.Cause))
		fmt.Fprintf(t.out, "  where: %s\n", stacked(finding.Subjects))
		fmt.Fprintf(t.out, "  next:  %s\n", stacked(finding.Next))
	}
}

// stacked writes texts one below the other.
func stacked(texts []string) string {
	const most = 20

	lines := slices.Clone(printable.First(most, texts))
	for i, text := range lines {
		lines[i] = printable.Line(text)
	}

	return strings.Join(lines, "\n         ")
}
