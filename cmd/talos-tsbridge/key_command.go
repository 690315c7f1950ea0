package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

func (p *program) keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Mint or revoke an auth key alone, for scripts",
		Long: `Mints or revokes auth keys through the API of Tailscale, or of a Headscale server.

The credentials come from the environment: ` + tailnet.EnvUsage + `;
the server from ` + tailnet.EnvBaseURL + `.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("%s needs a command: mint or revoke", cmd.CommandPath())
		},
	}

	cmd.AddCommand(p.keyMintCommand(), p.keyRevokeCommand())

	return cmd
}

func (p *program) keyMintCommand() *cobra.Command {
	var (
		flags          keyFlags
		output, format string
	)

	cmd := &cobra.Command{
		Use:   "mint",
		Short: "Print a new auth key",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.printKey(cmd.Context(), &flags, output, format)
		},
	}

	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&flags.advertised, "advertise-tags", "", "tags of the nodes that register with the key, a comma-separated `list`")
	flags.bind(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to `file`, readable by its owner only, instead of standard output")
	cmd.Flags().StringVar(&format, "format", formatText, "`form` of the output: text, the key alone, or json, with its ID, tags and expiry")
	cmd.Flags().BoolVar(&flags.dryRun, "dry-run", false, "do everything but call the Tailscale API")
	cmd.Flags().BoolVar(&flags.quiet, "quiet", false, "no notes on standard error")

	return cmd
}

const formatText = "text"

// mintedKey is what key mint prints for programs.
type mintedKey struct {
	Key     string    `json:"key"`
	ID      string    `json:"id,omitempty"`
	Tags    []string  `json:"tags"`
	Expires time.Time `json:"expires,omitzero"`
}

func (p *program) printKey(ctx context.Context, flags *keyFlags, output, format string) error {
	if format != formatText && format != formatJSON {
		return usagef("--format %s is unknown: write text or json", quote.Value(format))
	}

	if err := p.checkReader(output); err != nil {
		return err
	}

	minting, err := p.newMinting(flags)
	if err != nil {
		return err
	}

	key, lease, err := minting.lease(ctx)
	if err != nil {
		return err
	}

	defer lease.release(ctx)

	revealed := key.Reveal()
	text := []byte(revealed + "\n")

	if format == formatJSON {
		shown := mintedKey{Key: revealed, Tags: []string{}}
		if lease != nil {
			shown.ID, shown.Expires = lease.ID(), lease.Expires()
			shown.Tags = append(shown.Tags, lease.Details().Tags...)
		}

		if text, err = json.Marshal(shown); err != nil {
			return err
		}

		text = append(text, '\n')
	}

	if err := p.write(ctx, output, text); err != nil {
		return err
	}

	lease.keep()

	return nil
}

func (p *program) keyRevokeCommand() *cobra.Command {
	var (
		name  string
		quiet bool
	)

	cmd := &cobra.Command{
		Use:   "revoke ID...",
		Short: "Revoke auth keys by their IDs",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("%s needs the ID of a key, which talos-tsbridge prints when it mints one", cmd.CommandPath())
			}

			return nil
		},
		RunE: func(cmd *cobra.Command, ids []string) error {
			return p.revokeKeys(cmd.Context(), ids, &keyFlags{tailnet: name, quiet: quiet})
		},
	}

	cmd.Flags().StringVar(&name, "tailnet", "", "`name` of the tailnet (default: TAILSCALE_TAILNET, or the credential's own)")
	cmd.Flags().BoolVar(&quiet, "quiet", false, "no notes on standard error")

	return cmd
}

// revokeKeys revokes each key, also when others fail.
func (p *program) revokeKeys(ctx context.Context, ids []string, flags *keyFlags) error {
	client, err := p.client(flags)
	if err != nil {
		return err
	}

	var faults []error

	for _, id := range ids {
		if err := client.RevokeKey(ctx, id); err != nil {
			faults = append(faults, err)

			continue
		}

		if !flags.quiet {
			p.note("revoked auth key " + id)
		}
	}

	return errors.Join(faults...)
}
