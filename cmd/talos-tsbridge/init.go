package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

func (p *program) initCommand() *cobra.Command {
	var (
		bridge    bridgeFlags
		talos     talosFlags
		fromNodes bool
	)

	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a bridge.yaml to begin with",
		Long: `Writes a bridge file with every field in comments. With --from-nodes it asks the nodes of the talosconfig instead, and writes
what they are: names, roles, addresses, and what their configs say of the tailnet already. A file that is there is left alone.`,
		Example: `  talos-tsbridge init
  talos-tsbridge init --from-nodes -n 192.168.1.10,192.168.1.11`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range []string{"nodes", "endpoints", "talosconfig", "context"} {
				if !fromNodes && isGiven(cmd.Flags(), name) {
					return usagef("--%s is for asking nodes: add --from-nodes, or leave it out", name)
				}
			}

			return p.init(cmd.Context(), bridge.file, fromNodes, &talos)
		},
	}

	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&bridge.file, "file", "f", fleet.DefaultFile, "the `file` to write, or - for standard output")
	flags.BoolVar(&fromNodes, "from-nodes", false, "write what the nodes of the talosconfig are")
	flags.StringSliceVarP(&talos.nodes, "nodes", "n", nil, "with --from-nodes: these nodes, a comma-separated `list` (default: those of the talosconfig)")
	talos.bindConnection(flags)

	return cmd
}

func (p *program) init(ctx context.Context, path string, fromNodes bool, talos *talosFlags) error {
	if secret.Is(path) {
		return usagef("--file takes the name of a file, and what was given looks like a key")
	}

	// what is there is told before anything is asked
	if _, err := os.Lstat(path); err == nil && path != "-" {
		return usagef("%s is there already: write to another file with -f, or remove it first", path)
	}

	text := fleet.Example()

	if fromNodes {
		found, err := fleet.Discover(ctx, talos.connection(talos.nodes))
		if err != nil {
			return exitError{err, exitUnseen}
		}

		failed := 0

		for _, one := range found {
			if one.Failure != "" {
				failed++

				p.note("node " + one.Address + " could not be asked: " + one.Failure)
			}
		}

		if failed == len(found) {
			return exitError{errors.New("no node could be asked, so there is nothing to write"), exitUnseen}
		}

		if text, err = fleet.FileOf(found); err != nil {
			return err
		}
	}

	if path == "-" {
		return p.print(ctx, text)
	}

	if err := writeNew(path, text); err != nil {
		return err
	}

	p.note("wrote " + printable.Word(path) + ": look it through, then see what it would change with: talos-tsbridge up --dry-run --diff")

	return nil
}

// writeNew writes a file that nobody else has written meanwhile.
func writeNew(path string, text []byte) (err error) {
	const readable = 0o644

	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, readable)
	if err != nil {
		return err
	}

	_, err = file.Write(text)

	return errors.Join(err, file.Close())
}
