package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/internal/command"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

// keyFlags are the flags that say what key to mint.
type keyFlags struct {
	tags string
	// advertised are the tags that the nodes ask for, which are the key's where it has none of its own.
	advertised    string
	expiry        time.Duration
	reusable      bool
	ephemeral     bool
	preauthorized bool
	description   string
	tailnet       string

	// replace tells to remove what is left of the host before a node joins with the key, once to make no key for a host that
	// has joined; hostname is the host.
	replace, once bool
	hostname      string

	dryRun bool
	quiet  bool
}

func (f *keyFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()

	flags.StringVar(&f.tags, "key-tags", "",
		"tags of a minted key, a comma-separated `list`, where they are not those of --advertise-tags: a node gets them without asking, as Headscale wants it")
	f.expiry = mint.DefaultExpiry
	flags.Var((*expiryFlag)(&f.expiry), "key-expiry", "how long a minted key can register a node, a `duration` from 1m to 90d")
	flags.BoolVar(&f.reusable, "key-reusable", false, "mint a key for any number of nodes (default: for one)")
	flags.BoolVar(&f.ephemeral, "key-ephemeral", false, "mint a key whose nodes are deleted from the tailnet soon after they go offline")
	flags.BoolVar(&f.preauthorized, "key-preauthorized", true, "mint a key whose nodes need no approval")
	f.bindDescription(cmd)
	flags.StringVar(&f.tailnet, "tailnet", "", "`name` of the tailnet to mint a key in (default: TAILSCALE_TAILNET, or the credential's own)")
}

func (f *keyFlags) bindDescription(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.description, "key-description", mint.DefaultDescription,
		fmt.Sprintf("`text` shown with a minted key: at most %d letters, digits, hyphens and spaces", mint.MaxDescription))
}

// bindReplace binds the flag for a node that joins again.
func (f *keyFlags) bindReplace(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.replace, "replace-device", false,
		"before a key is minted, remove the offline device with the name of --hostname and the tags of the key, so that the node gets the name back")
}

// bindTailnet binds the flags of commands that are about keys and devices that are there.
func (f *keyFlags) bindTailnet(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.tailnet, "tailnet", "", "`name` of the tailnet (default: TAILSCALE_TAILNET, or the credential's own)")
	cmd.Flags().BoolVar(&f.quiet, "quiet", false, "no notes on standard error")
}

func (f *keyFlags) options() mint.Options {
	options := mint.Options{
		Expiry: f.expiry, Reusable: f.reusable, Ephemeral: f.ephemeral, RequireApproval: !f.preauthorized, Description: f.description,
	}

	if tags := cmp.Or(f.tags, f.advertised); tags != "" {
		options.Tags = []string{tags}
	}

	return options
}

// expiryFlag is a duration that may be given in days.
type expiryFlag time.Duration

func (e *expiryFlag) Set(text string) error {
	expiry, err := mint.ParseExpiry(text)
	*e = expiryFlag(expiry)

	return err
}

func (e *expiryFlag) String() string { return time.Duration(*e).String() }

// Type is how errors name what the flag takes.
func (e *expiryFlag) Type() string {
	return "duration: write minutes, hours or days, such as 15m, 24h or 90d"
}

// minting makes keys.
type minting struct {
	program *program
	flags   *keyFlags
	minter  *mint.Minter
	joined  *joinedDevices
}

// keyLease is a key that was made, and is revoked unless it is kept. The nil keyLease stands for a key that was there.
type keyLease struct {
	*mint.Lease

	minting *minting
	// ended says that the key is kept or revoked, or that its end was reported.
	ended func()
}

// client returns the tailnet that the credentials in the environment lead to.
func (p *program) client(flags *keyFlags) (*tailnet.Client, error) {
	client, err := tailnet.FromEnv(p.environment.lookup)
	if err != nil {
		return nil, usageError{err}
	}

	client.UserAgent = "talos-tsbridge/" + moduleVersion()

	if flags.tailnet != "" {
		client.Tailnet = flags.tailnet
	}

	if !flags.quiet {
		client.OnRetry = func(err error, wait time.Duration) {
			p.note(fmt.Sprintf("%v: trying again in %s", err, wait.Round(time.Millisecond)))
		}
	}

	if strings.HasPrefix(client.BaseURL, "http://") && !flags.quiet {
		p.note("the API is called without TLS: the credential and the key can be read on the way")
	}

	return client, nil
}

// readyClient is client once it was checked, and its credential read.
func (p *program) readyClient(ctx context.Context, flags *keyFlags) (*tailnet.Client, error) {
	client, err := p.client(flags)
	if err != nil {
		return nil, err
	}

	if err := client.Check(); err != nil {
		return nil, usageError{err}
	}

	return client, client.Credential.Load(ctx)
}

func (p *program) noteRemoved(quiet bool, removed []tailnet.Device) {
	for _, device := range removed {
		if !quiet {
			p.note("removed device " + device.String() + " (ID " + device.ID + "), so that the node gets its name back")
		}
	}
}

// dryKey stands for the key that a dry run does not mint.
const dryKey = "dry-run-no-key-was-minted"

// lease makes a key and says what it made. In a dry run it makes none, and neither does it for a node that has joined, where
// one key is enough: then the key is the zero one.
func (m *minting) lease(ctx context.Context) (authkey.Key, *keyLease, error) {
	if m.flags.dryRun {
		key, err := authkey.Placeholder(dryKey)

		return key, nil, err
	}

	// a credential that a program knows takes the time of a person
	if err := m.minter.Client.Credential.Load(ctx); err != nil {
		return authkey.Key{}, nil, err
	}

	if has, err := m.hasJoined(ctx); err != nil || has {
		return authkey.Key{}, nil, err
	}

	if err := m.replaceDevice(ctx); err != nil {
		return authkey.Key{}, nil, err
	}

	inFlight := m.program.undelivered.add(fmt.Sprintf("an auth key may have been made that nobody has: look for one described %q and revoke it, else it expires after %s",
		m.flags.description, m.flags.expiry))
	defer inFlight()

	made, err := m.minter.Lease(ctx, m.flags.options())
	if err != nil {
		return authkey.Key{}, nil, err
	}

	if !m.flags.quiet {
		m.program.note(describe(made.Details()))
	}

	if warning := made.Warning(); warning != nil {
		m.program.note(warning.Error())
	}

	if !m.flags.quiet && len(made.Details().Tags) == 0 {
		m.program.note(untagged)
	}

	lease := &keyLease{Lease: made, minting: m,
		ended: m.program.undelivered.add("auth key " + made.ID() + " was not delivered and may be alive: talos-tsbridge key revoke " + made.ID())}

	// interrupted while the answer was on its way
	if err := context.Cause(ctx); err != nil {
		lease.release(ctx)

		return authkey.Key{}, nil, err
	}

	return made.Key(), lease, nil
}

// untagged is what a person has to know of a key without tags.
const untagged = "the key has no tags: a node that joins with it belongs to the user of the credential, and its node key expires, after 180 days by " +
	"default; a node that logs in once and whose key is used up cannot log in again then: give --advertise-tags (or --key-tags), or disable key expiry " +
	"for the device (admin console, Machines)"

func describe(key tailnet.Key) string {
	tags := "without tags"
	if len(key.Tags) > 0 {
		tags = strings.Join(key.Tags, ", ")
	}

	use := "single-use: exactly one node can join with it"
	if key.Reusable {
		use = "reusable"
	}

	if key.Ephemeral {
		use += "; ephemeral: a node that stays offline is deleted"
	}

	return fmt.Sprintf("minted auth key %s (%s), expires %s, %s", key.ID, tags, key.Expires.UTC().Format(time.RFC3339), use)
}

// keep says that the key was delivered.
func (l *keyLease) keep() {
	if l != nil {
		l.Keep()
		l.ended()
	}
}

// release revokes the key, if there is one that is not kept, and says so. The run may have been interrupted, so it does not
// end with ctx.
func (l *keyLease) release(ctx context.Context) {
	if l != nil {
		l.minting.program.release(ctx, l.minting.flags.quiet, l)
	}
}

// release revokes the keys that are not kept, at the same time, and says what became of them.
func (p *program) release(ctx context.Context, quiet bool, leases ...*keyLease) {
	var open []*mint.Lease

	for _, lease := range leases {
		if lease != nil && !lease.Kept() {
			open = append(open, lease.Lease)

			defer lease.ended()
		}
	}

	failed := map[string]bool{}

	for _, err := range mint.ReleaseAll(ctx, open...) {
		orphan, ok := errors.AsType[*mint.OrphanError](err)
		if !ok {
			p.say("error", err.Error())

			continue
		}

		failed[orphan.Key.ID] = true

		p.say("error", fmt.Sprintf("the key was not delivered and could not be revoked, revoke it with talos-tsbridge key revoke %s (it is described %q): %v",
			orphan.Key.ID, orphan.Key.Description, errors.Unwrap(orphan)))
	}

	for _, lease := range open {
		if !quiet && !failed[lease.ID()] {
			p.note("revoked auth key " + lease.ID() + ", because it was not delivered")
		}
	}
}

// keyOf returns the key from the source that the flags name, or from the default one. A key that is to be minted is not
// made yet: then it returns what stands for it in checks, and the minting.
func (p *program) keyOf(ctx context.Context, flags *patchFlags) (key authkey.Key, minting *minting, err error) {
	if p.keepsLogin(flags) {
		return key, nil, nil
	}

	source, err := p.keySource(flags.authKey)
	if err != nil {
		return key, nil, usageError{err}
	}

	if source.IsMint() {
		flags.key.once = source.IsOnce()

		if minting, err = p.newMinting(&flags.key); err != nil {
			return key, nil, err
		}

		key, err = authkey.Placeholder(dryKey)

		return key, minting, err
	}

	if flags.key.replace {
		return key, nil, usagef("--replace-device goes with a key that is minted: leave it out, or give --auth-key mint")
	}

	var options []authkey.ParseOption
	if flags.allowClientSecret {
		options = append(options, authkey.AllowClientSecret())
	}

	key, err = source.Read(ctx, authkey.Input{
		LookupEnv: p.environment.lookup, Stdin: p.stdin, Environ: p.environment.childEnvironment(), Stderr: p.stderr,
	}, options...)

	var (
		unreadable *fs.PathError
		failed     *command.Error
	)

	if err != nil && !errors.As(err, &unreadable) && !errors.As(err, &failed) && context.Cause(ctx) == nil {
		err = usageError{err}
	}

	return key, nil, err
}

// keepsLogin reports whether no key is given, and the machine config has a way to log in already: that one stays, also where
// there are credentials to make a key with.
func (p *program) keepsLogin(flags *patchFlags) bool {
	return flags.target != nil && flags.target.HasLogin() && flags.authKey == "" && p.environment[authkey.EnvAuthKey] == ""
}

// keySource reads the flag. Without it, the key in the environment comes first, then credentials that can make one.
func (p *program) keySource(text string) (authkey.Source, error) {
	if text != "" {
		return authkey.ParseSource(text)
	}

	if p.environment[authkey.EnvAuthKey] != "" {
		return authkey.FromEnv(), nil
	}

	if _, err := tailnet.CredentialFromEnv(p.environment.lookup); !errors.Is(err, tailnet.ErrNoCredentials) {
		return authkey.Mint(), nil // what is wrong with credentials, the minting says
	}

	return authkey.Source{}, errors.New("no auth key: set TS_AUTHKEY, or API credentials to mint one with (" + tailnet.EnvUsage +
		"), or choose a source with --auth-key: " + authkey.SourceUsage)
}
