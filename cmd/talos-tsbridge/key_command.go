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
		Short: "Mint, list or revoke auth keys",
		Long: `Mints, lists or revokes auth keys through the API of Tailscale, or of a Headscale server.

The credentials come from the environment: ` + tailnet.EnvUsage + `;
the server from ` + tailnet.EnvBaseURL + `.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("%s needs a command: mint, list or revoke", cmd.CommandPath())
		},
	}

	cmd.AddCommand(p.keyMintCommand(), p.keyListCommand(), p.keyRevokeCommand())

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
	flags.bindReplace(cmd)
	cmd.Flags().StringVar(&flags.hostname, "hostname", "", "with --replace-device: `name` of the node that joins with the key")
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
		flags       keyFlags
		unused, yes bool
		olderThan   time.Duration
	)

	cmd := &cobra.Command{
		Use:   "revoke ID... | --unused",
		Short: "Revoke auth keys by their IDs, or those that are left over",
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && !unused:
				return usagef("%s needs the ID of a key, which talos-tsbridge prints when it mints one, or --unused", cmd.CommandPath())
			case len(args) > 0 && unused:
				return usagef("%s takes IDs of keys or --unused, not both", cmd.CommandPath())
			case len(args) > 0 && (yes || olderThan != 0):
				return usagef("--yes and --older-than go with --unused")
			}

			return nil
		},
		RunE: func(cmd *cobra.Command, ids []string) error {
			if unused {
				return p.revokeUnused(cmd.Context(), &flags, olderThan, yes)
			}

			return p.revokeKeys(cmd.Context(), ids, &flags)
		},
	}

	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVar(&unused, "unused", false, "show the keys that key list shows, and with --yes revoke them")
	cmd.Flags().Var((*expiryFlag)(&olderThan), "older-than", "with --unused: only keys that were made before this `duration`, such as 1h")
	cmd.Flags().BoolVar(&yes, "yes", false, "with --unused: revoke them, and do not only show them")
	flags.bindDescription(cmd)
	flags.bindTailnet(cmd)

	return cmd
}

// revokeUnused shows the keys that are left over, and revokes them where that was confirmed.
func (p *program) revokeUnused(ctx context.Context, flags *keyFlags, age time.Duration, yes bool) error {
	keys, client, err := p.unusedKeys(ctx, flags, age)
	if err != nil {
		return err
	}

	if len(keys) == 0 {
		if !flags.quiet {
			p.note("no auth keys are left over")
		}

		return nil
	}

	if err := p.writeKeys(outputTable, keys); err != nil {
		return err
	}

	if !yes {
		return usagef("nothing was revoked: --yes revokes %s", plural(len(keys), "key"))
	}

	ids := make([]string, 0, len(keys))
	for _, key := range keys {
		ids = append(ids, key.ID)
	}

	return p.revokeEach(ctx, client, ids, flags.quiet)
}

func (p *program) revokeKeys(ctx context.Context, ids []string, flags *keyFlags) error {
	client, err := p.readyClient(ctx, flags)
	if err != nil {
		return err
	}

	return p.revokeEach(ctx, client, ids, flags.quiet)
}

// revokeEach revokes each key, also when others fail.
func (p *program) revokeEach(ctx context.Context, client *tailnet.Client, ids []string, quiet bool) error {
	var faults []error

	for _, id := range ids {
		if err := client.RevokeKey(ctx, id); err != nil {
			faults = append(faults, err)

			continue
		}

		if !quiet {
			p.note("revoked auth key " + id)
		}
	}

	return errors.Join(faults...)
}
