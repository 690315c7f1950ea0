// Command probe applies config patches the way one particular Talos does.
//
// The same source is compiled once against every supported release of Talos
// machinery. It reads a [protocol.Request] on stdin and writes a [protocol.Response] on stdout.
// Everything that decides is that release's own code: its generator makes the
// config, its loader reads the patch, its merge applies it, its validation
// judges the result.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/talos/protocol"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string, stdin io.Reader, stdout io.Writer) error {
	flags := flag.NewFlagSet("probe", flag.ContinueOnError)
	configs := flags.String("configs", "", "folder that keeps the generated configs between runs")

	if err := flags.Parse(args); err != nil {
		return err
	}

	if *configs == "" {
		return errors.New("--configs is required")
	}

	var request protocol.Request

	if err := json.NewDecoder(stdin).Decode(&request); err != nil {
		return fmt.Errorf("read request: %w", err)
	}

	generator := generator{folder: *configs}

	var response protocol.Response

	for _, c := range request.Cases {
		config, err := generator.config(c.Contract, c.Role)
		if err != nil {
			return fmt.Errorf("generate a %s %s config: %w", c.Contract, c.Role, err)
		}

		outcome, err := probe(c, config)
		if err != nil {
			return fmt.Errorf("prepare a %s %s config: %w", c.Contract, c.Role, err)
		}

		response.Outcomes = append(response.Outcomes, outcome)
	}

	return json.NewEncoder(stdout).Encode(response)
}
