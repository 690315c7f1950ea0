package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
)

// tailnetFlags are the flags of commands that are about the keys and devices of a tailnet.
type tailnetFlags struct {
	tailnet string
	quiet   bool
}

func (f *tailnetFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.tailnet, "tailnet", "", "`name` of the tailnet (default: TAILSCALE_TAILNET, or the credential's own)")
	bindQuiet(cmd, &f.quiet)
}

// keyFlags are the flags that say what key to mint.
type keyFlags struct {
	tags          string
	expiry        time.Duration
	reusable      bool
	ephemeral     bool
	preauthorized bool
	description   string
	tailnet       string

	// replace tells to remove what is left of the node before it joins with the key.
	replace bool
}

func (f *keyFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()

	flags.StringVar(&f.tags, "key-tags", "",
		"tags of a minted key, a comma-separated `list`, where they are not those of --advertise-tags: a node gets them without asking, as Headscale wants it")

	if f.expiry == 0 {
		f.expiry = mint.DefaultExpiry
	}

	flags.Var((*expiryFlag)(&f.expiry), "key-expiry", "how long a minted key can register a node, a `duration` from 1m to 90d")
	flags.BoolVar(&f.reusable, "key-reusable", false, "mint a key for any number of nodes (default: for one)")
	flags.BoolVar(&f.ephemeral, "key-ephemeral", false, "mint a key whose nodes are deleted from the tailnet soon after they go offline")
	flags.BoolVar(&f.preauthorized, "key-preauthorized", true, "mint a key whose nodes need no approval")
	flags.StringVar(&f.description, "key-description", mint.DefaultDescription,
		fmt.Sprintf("`text` shown with a minted key: at most %d letters, digits, hyphens and spaces", mint.MaxDescription))
	flags.StringVar(&f.tailnet, "tailnet", "", "`name` of the tailnet to mint a key in (default: TAILSCALE_TAILNET, or the credential's own)")
}

// bindReplace binds the flag for a node that joins again.
func (f *keyFlags) bindReplace(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.replace, "replace-device", false,
		"before a key is minted, remove the offline device with the name of --hostname and the tags of the key, so that the node gets the name back")
}

// keyRequest is a key that is asked for.
type keyRequest struct {
	keyFlags

	// advertised are the tags that the nodes ask for, which are the key's where it has none of its own.
	advertised string
	// hostname is the node that joins with the key. once tells to make none where it has joined.
	hostname string
	once     bool

	dryRun bool
	quiet  bool
}

func (r keyRequest) tailnetFlags() tailnetFlags { return tailnetFlags{r.tailnet, r.quiet} }

func (r keyRequest) options() mint.Options {
	options := mint.Options{
		Expiry: r.expiry, Reusable: r.reusable, Ephemeral: r.ephemeral, RequireApproval: !r.preauthorized, Description: r.description,
	}

	if tags := cmp.Or(r.tags, r.advertised); tags != "" {
		options.Tags = []string{tags}
	}

	return options
}
