package report

import (
	"bytes"
	_ "embed" // the schema
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/devices"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

// Report is what a verification found. Its JSON is described by [Schema].
type Report struct {
	// From is the place that the targets were tried from.
	From verify.Place `json:"from"`
	// Results are those of the targets, in their order.
	Results []verify.Result `json:"results"`
	// Nodes are what the nodes said of themselves.
	Nodes []nodes.Node `json:"nodes,omitempty"`
	// Tailnet is what the Tailscale API said; nil where it was not asked.
	Tailnet *devices.Tailnet `json:"tailnet,omitempty"`
	// Findings are the causes of all that is wrong, those that weigh most first.
	Findings []verify.Finding `json:"findings"`
}

//go:embed report.schema.json
var schema []byte

// Schema returns the JSON Schema (draft 2020-12) of a [Report].
func Schema() []byte { return slices.Clone(schema) }

// Worst returns the severity that weighs most among the findings, "" where nothing is wrong.
func (r *Report) Worst() verify.Severity { return verify.Worst(r.Findings) }

// WriteJSON writes the report as indented JSON, in which what a terminal would act on is escaped. Lists that every report has are there also when they are empty.
func (r *Report) WriteJSON(w io.Writer) error {
	complete := *r
	complete.Results = append([]verify.Result{}, r.Results...)
	complete.Findings = append([]verify.Finding{}, r.Findings...)

	var text bytes.Buffer

	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")

	if err := encoder.Encode(complete); err != nil {
		return err
	}

	_, err := w.Write(printable.JSON(text.Bytes()))

	return err
}

// maxLine bounds a line of a Job's log.
const maxLine = 1 << 20

// ErrNoResults is what [Read] fails with for a text without any result.
var ErrNoResults = errors.New("there are no results in it: give what talos-tsbridge verify -o json printed, or the log of its Job")

// Read reads the results in a report, or in the log of the Job of [verify.Manifest], where each is a line of its own among
// others. A target that the log has several times counts as it was last.
func Read(text []byte) ([]verify.Result, error) {
	var report Report

	if err := json.Unmarshal(text, &report); err == nil && len(report.Results) > 0 {
		return report.Results, check(report.Results)
	}

	var results []verify.Result

	for line := range strings.Lines(string(text)) {
		// kubectl puts the time, or the pod's name, before a line when it is asked to
		start := strings.Index(line, `{"target":`)
		if start < 0 || len(line) > maxLine {
			continue
		}

		var result verify.Result
		if err := json.Unmarshal([]byte(line[start:]), &result); err != nil {
			continue
		}

		results = slices.DeleteFunc(results, func(earlier verify.Result) bool {
			return earlier.Target == result.Target && earlier.From == result.From
		})
		results = append(results, result)
	}

	if len(results) == 0 {
		return nil, ErrNoResults
	}

	return results, check(results)
}

// check refuses results that no run of ours wrote.
func check(results []verify.Result) error {
	for _, result := range results {
		if result.Target == "" || result.Outcome == "" || result.Kind == "" {
			return fmt.Errorf("a result lacks its target, kind or outcome: %w", ErrNoResults)
		}
	}

	return nil
}
