package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"
	"golang.org/x/term"

	"github.com/talos-tsbridge/talos-tsbridge/internal/atomicfile"
)

// write delivers a patch or a key: to the file, which only its owner may read, or to standard output where there is none.
// Nothing is written once ctx has ended, and a reader that does not read is not waited for after that.
func (p *program) write(ctx context.Context, file string, text []byte) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}

	p.delivered = true

	if file == "" || file == "-" {
		written := make(chan error, 1)

		go func() {
			_, err := p.stdout.Write(text)
			written <- err
		}()

		select {
		case err := <-written:
			if err != nil {
				return fmt.Errorf("standard output: %w", err)
			}

			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}

	const ownerOnly = 0o600

	if err := atomicfile.Write(file, text, ownerOnly); err != nil {
		return fmt.Errorf("output: %w", err)
	}

	return nil
}

// checkOutputFile refuses a name of a file that is the name of a format: other programs, and other commands of this one, print
// in that format for -o, and a key would lie in a file called json.
func checkOutputFile(name string) error {
	if isFormat(name) {
		return usagef("--output takes a file, and %s is the name of a format: write -o ./%s for a file of that name", name, name)
	}

	return nil
}

func isFormat(name string) bool {
	return name == "json" || name == "yaml" || name == "table" || name == "wide"
}

// failureKey is the one key of the document that is written in place of a patch that could not be made.
const failureKey = "talos-tsbridge-failed"

// streams marks the commands whose standard output is read by talosctl.
const streams = "streams"

// failStream makes a failure seen by who reads standard output. A pipe shows no exit code, and talosctl takes an empty
// patch for one that changes nothing; this document it refuses, on every version.
func (p *program) failStream(cmd *cobra.Command, failure error) {
	if cmd.Annotations[streams] == "" || p.delivered || isTerminal(p.stdout) {
		return
	}

	if output := cmd.Flags().Lookup("output").Value.String(); output != "" && output != "-" && !isFormat(output) {
		return
	}

	if inPlace := cmd.Flags().Lookup(inPlaceFlag); inPlace != nil && inPlace.Changed {
		return
	}

	text, err := yaml.Marshal(map[string]string{failureKey: strings.ReplaceAll(failure.Error(), "\n", "; ")})
	if err != nil {
		text = []byte(failureKey + ": true\n")
	}

	if _, err := p.stdout.Write(text); err != nil {
		p.say("error", "standard output: "+err.Error())
	}
}

// isTerminal reports whether f, an input or an output, is a terminal.
func isTerminal(f any) bool {
	file, ok := f.(*os.File)

	return ok && term.IsTerminal(int(file.Fd()))
}
