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
		wanted         keyRequest
		output, format string
	)

	cmd := &cobra.Command{
		Use:   "mint",
		Short: "Print a new auth key",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.printKey(cmd.Context(), wanted, output, format)
		},
	}

	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&wanted.advertised, "advertise-tags", "", "tags of the nodes that register with the key, a comma-separated `list`")
	wanted.bind(cmd)
	wanted.bindReplace(cmd)
	cmd.Flags().StringVar(&wanted.hostname, "hostname", "", "with --replace-device: `name` of the node that joins with the key")
	bindResult(cmd, &output)
	cmd.Flags().StringVar(&format, "format", formatText, "`form` of the output: text, the key alone, or json, with its ID, tags and expiry")
	bindDryRun(cmd, &wanted.dryRun)
	bindQuiet(cmd, &wanted.quiet)

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

func (p *program) printKey(ctx context.Context, wanted keyRequest, output, format string) (err error) {
	if format != formatText && format != formatJSON {
		return usagef("--format %s is unknown: write text or json", quote.Value(format))
	}

	if err := p.checkReader(output); err != nil {
		return err
	}

	minting, err := p.newMinting(wanted, nil)
	if err != nil {
		return err
	}

	lease, err := minting.Lease(ctx, 0)
	if err != nil {
		return err
	}

	defer func() { err = releasing(ctx, err, lease) }()

	revealed := lease.Key().Reveal()
	text := []byte(revealed + "\n")

	if format == formatJSON {
		shown := mintedKey{Key: revealed, Tags: []string{}}
		if made, ok := lease.(*mintedLease); ok { // no dry run
			shown.ID, shown.Expires = made.ID(), made.Expires()
			shown.Tags = append(shown.Tags, made.Details().Tags...)
		}

		if text, err = json.Marshal(shown); err != nil {
			return err
		}

		text = append(text, '\n')
	}

	if err := p.write(ctx, output, text); err != nil {
		return err
	}

	lease.Keep()

	return nil
}

func (p *program) keyRevokeCommand() *cobra.Command {
	var (
		flags       leftoverFlags
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
			case len(args) > 0 && (yes || isGiven(cmd.Flags(), "older-than")):
				return usagef("--yes and --older-than go with --unused")
			}

			return nil
		},
		RunE: func(cmd *cobra.Command, ids []string) error {
			if unused {
				return p.revokeUnused(cmd.Context(), flags, olderThan, yes)
			}

			return p.revokeKeys(cmd.Context(), ids, flags)
		},
	}

	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVar(&unused, "unused", false, "show the keys that key list shows, and with --yes revoke them")
	cmd.Flags().Var((*expiryFlag)(&olderThan), "older-than", "with --unused: only keys that were made longer ago than this `duration`, such as 1h")
	cmd.Flags().BoolVar(&yes, "yes", false, "with --unused: revoke them, and do not only show them")
	flags.bind(cmd)

	return cmd
}

// revokeUnused shows the keys that are left over, and revokes them where that was confirmed.
func (p *program) revokeUnused(ctx context.Context, flags leftoverFlags, age time.Duration, yes bool) error {
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

	if err := p.writeKeys(ctx, outputTable, keys); err != nil {
		return err
	}

	if !yes {
		return usagef("nothing was revoked: --yes revokes %s", counted(len(keys), "key", "keys"))
	}

	ids := make([]string, 0, len(keys))
	for _, key := range keys {
		ids = append(ids, key.ID)
	}

	return p.revokeEach(ctx, client, ids, flags.quiet)
}

func (p *program) revokeKeys(ctx context.Context, ids []string, flags leftoverFlags) error {
	client, err := p.readyClient(ctx, flags.tailnetFlags)
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
