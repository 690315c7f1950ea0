package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/internal/ctxio"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// failureKey is the one key of the document that is written in place of a patch that could not be made.
const failureKey = "talos-tsbridge-failed"

// result is what a command writes for another program to read.
type result struct {
	// output returns the value of --output, and whether the result goes there at all.
	output func() (string, bool)
}

// streams says that another program, such as talosctl, reads the result of a command.
func (p *program) streams(cmd *cobra.Command, output func() (string, bool)) {
	if p.results == nil {
		p.results = map[*cobra.Command]result{}
	}

	p.results[cmd] = result{output}
}

// failStream makes a failure seen by who reads the result. A pipe shows no exit code, and talosctl takes an empty patch for
// one that changes nothing, and the head of one for a patch; what is written here it refuses, on every version.
func (p *program) failStream(ctx context.Context, cmd *cobra.Command, failure error) {
	result, ok := p.results[cmd]
	if !ok || p.delivery == deliveredWhole || p.delivery == deliveredUnknown {
		return
	}

	output, ok := result.output()
	if !ok {
		return
	}

	if output == "" { // flags behind a wrong one are not read
		output = outputIn(p.args)
	}

	to, err := destinationOf(output)
	if err != nil { // that is what the failure is about
		to = destination{descriptor: stdoutDescriptor}
	}

	if !p.isStream(to) {
		return
	}

	text := failureDocument(failure, cmd.Flag("format"))

	if p.delivery == deliveredPart {
		text = append([]byte("\n---\n"), text...)
	}

	// the run may have been stopped; a reader that reads gets it all the same, but is not waited for
	const deadline = 10 * time.Second

	inTime, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadline)
	defer cancel()

	if context.Cause(ctx) != nil && to.path != "" && !hasReader(to.path) {
		return
	}

	if err := p.writeTo(inTime, to, text); err != nil {
		p.say("error", err.Error())
	}
}

// outputIn returns the value of --output among arguments.
func outputIn(args []string) string {
	for i, arg := range args {
		if arg == "--" {
			break
		}

		for _, name := range []string{"--output", "-o"} {
			if value, ok := strings.CutPrefix(arg, name+"="); ok {
				return value
			}

			if arg == name && i+1 < len(args) {
				return args[i+1]
			}
		}
	}

	return ""
}

// hasReader reports whether somebody reads a FIFO.
func hasReader(path string) bool {
	ended, end := context.WithCancel(context.Background())
	end()

	file, err := ctxio.OpenWriter(ended, path)
	if err != nil {
		return false
	}

	return file.Close() == nil
}

// failureDocument returns the document in the form that was asked for: JSON where that is, else YAML.
func failureDocument(failure error, format *pflag.Flag) []byte {
	document := map[string]string{failureKey: strings.ReplaceAll(secret.Redact(failure.Error()), "\n", "; ")}

	if format != nil && format.Value.String() == formatJSON {
		if text, err := json.Marshal(document); err == nil {
			return append(text, '\n')
		}
	}

	if text, err := yaml.Marshal(document); err == nil {
		return text
	}

	return []byte(failureKey + ": true\n")
}

// isStream reports whether a program may read a destination as it is written: neither a person nor a file.
func (p *program) isStream(to destination) bool {
	switch {
	case to.path != "":
		info, err := os.Stat(to.path)

		return err == nil && info.Mode()&os.ModeNamedPipe != 0
	case to.descriptor == stdoutDescriptor:
		return !isTerminal(p.stdout)
	}

	info, err := os.Stat(fmt.Sprintf("/dev/fd/%d", to.descriptor))

	return err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0
}
