package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

// leftoverFlags are the flags of commands that are about minted keys which are left over.
type leftoverFlags struct {
	tailnetFlags

	description string
}

func (f *leftoverFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.description, "key-description", mint.DefaultDescription, "only keys that were minted with this `text` as their description")
	f.tailnetFlags.bind(cmd)
}

func (p *program) keyListCommand() *cobra.Command {
	var (
		flags leftoverFlags
		form  string
	)

	cmd := &cobra.Command{
		Use:   "list",
		Short: "List auth keys that talos-tsbridge minted and that can still register a node",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkForm(form); err != nil {
				return err
			}

			keys, _, err := p.unusedKeys(cmd.Context(), flags, 0)
			if err != nil {
				return err
			}

			return p.writeKeys(cmd.Context(), form, keys)
		},
	}

	cmd.Flags().SortFlags = false
	bindForm(cmd, &form)
	flags.bind(cmd)

	return cmd
}

func (p *program) writeKeys(ctx context.Context, form string, keys []tailnet.Key) error {
	if keys == nil {
		keys = []tailnet.Key{}
	}

	return p.writeList(ctx, form, map[string]any{"keys": keys}, func(table tableWriter) { table.keys(keys) })
}

// unusedKeys returns the keys of a description that can still register a node and were made at least so long ago.
func (p *program) unusedKeys(ctx context.Context, flags leftoverFlags, age time.Duration) ([]tailnet.Key, *tailnet.Client, error) {
	client, err := p.readyClient(ctx, flags.tailnetFlags)
	if err != nil {
		return nil, nil, err
	}

	keys, err := (&mint.Minter{Client: client}).UnusedKeys(ctx, flags.description)
	if err != nil {
		return nil, nil, err
	}

	if age > 0 {
		keys = mint.OlderThan(keys, client.Now().Add(-age))
	}

	return keys, client, nil
}

func (t tableWriter) keys(keys []tailnet.Key) {
	rows := [][]string{{"KEY", "DESCRIPTION", "TAGS", "CREATED", "EXPIRES", "USE"}}

	for _, key := range keys {
		use := "single"
		if key.Reusable {
			use = "reusable"
		}

		created := "-"
		if !key.Created.IsZero() {
			created = key.Created.UTC().Format(time.RFC3339)
		}

		rows = append(rows, []string{
			key.ID, key.Description, orDash(strings.Join(key.Tags, ",")), created,
			key.Expires.UTC().Format(time.RFC3339), use,
		})
	}

	t.rows(rows, func(int) int { return yellow })
}
