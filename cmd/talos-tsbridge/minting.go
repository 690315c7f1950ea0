package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

// minting makes the keys that are asked for, and says what it made and revoked.
type minting struct {
	program *program
	wanted  keyRequest
	minter  *mint.Minter
	joined  *joinedDevices
	// replaced tells that what is left of the node was removed.
	replaced bool
}

var _ fleet.Keys = (*minting)(nil)

// newMinting checks everything that can be checked before a call. What other knows of its tailnet, it takes over, unless other is
// nil.
func (p *program) newMinting(wanted keyRequest, other *minting) (*minting, error) {
	m := &minting{program: p, wanted: wanted}

	if other != nil {
		m.minter, m.joined = other.minter, other.joined
	} else {
		client, err := p.client(wanted.tailnetFlags())
		if err != nil {
			return nil, err
		}

		m.minter, m.joined = &mint.Minter{Client: client}, &joinedDevices{client: client}
	}

	if err := m.minter.Check(wanted.options()); err != nil {
		return nil, usageError{err}
	}

	if wanted.replace && wanted.hostname == "" {
		return nil, usagef("--replace-device needs --hostname, the name that the node is to get back")
	}

	if wanted.once && wanted.hostname == "" {
		return nil, usagef("--auth-key once needs --hostname, the name that the tailnet knows the node by")
	}

	return m, nil
}

// dryKey stands for the key that a dry run does not mint.
const dryKey = "dry-run-no-key-was-minted"

// Lease makes a key and says what it made: a [mintedLease]. In a dry run it makes none, and neither does it for a node that
// has joined, where one key is enough: then the key is the zero one.
func (m *minting) Lease(ctx context.Context, _ int) (fleet.Lease, error) {
	if m.wanted.dryRun {
		key, err := authkey.Placeholder(dryKey)
		if err != nil {
			return nil, err
		}

		return fleet.GivenKey(key, true).Lease(ctx, 0)
	}

	// a credential that a program knows takes the time of a person
	if err := m.minter.Client.Credential.Load(ctx); err != nil {
		return nil, err
	}

	if has, err := m.hasJoined(ctx); err != nil {
		return nil, err
	} else if has {
		return fleet.GivenKey(authkey.Key{}, true).Lease(ctx, 0)
	}

	if err := m.replaceDevice(ctx); err != nil {
		return nil, err
	}

	inFlight := m.program.undelivered.add(fmt.Sprintf("an auth key may have been made that nobody has: look for one described %q and revoke it, else it expires after %s",
		m.wanted.description, m.wanted.expiry))
	defer inFlight()

	made, err := m.minter.Lease(ctx, m.wanted.options())
	if err != nil {
		return nil, err
	}

	m.tell(made)

	lease := &mintedLease{Lease: made, program: m.program, quiet: m.wanted.quiet,
		// the description is ours, whatever the API says of the ID
		ended: m.program.undelivered.add(fmt.Sprintf("auth key %s, described %q, was not delivered and may be alive: talos-tsbridge key revoke %s",
			made.ID(), made.Details().Description, printable.Word(made.ID())))}

	// interrupted while the answer was on its way
	if err := context.Cause(ctx); err != nil {
		return nil, releasing(ctx, err, lease)
	}

	return lease, nil
}

// tell says what was made.
func (m *minting) tell(made *mint.Lease) {
	if !m.wanted.quiet {
		m.program.note(describe(made.Details()))
	}

	if warning := made.Warning(); warning != nil {
		m.program.note(warning.Error())
	}

	if !m.wanted.quiet && len(made.Details().Tags) == 0 {
		m.program.note(untagged)
	}
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

// replaceDevice removes what is left of the node in the tailnet, once, and says so.
func (m *minting) replaceDevice(ctx context.Context) error {
	if !m.wanted.replace || m.replaced {
		return nil
	}

	m.replaced = true

	removed, err := m.minter.Client.ReplaceDevice(ctx, m.wanted.hostname, m.wanted.options().Tags)
	m.program.noteRemoved(m.wanted.quiet, removed)

	return err
}

func (p *program) noteRemoved(quiet bool, removed []tailnet.Device) {
	for _, device := range removed {
		if !quiet {
			p.note("removed device " + device.String() + " (ID " + device.ID + "), so that the node gets its name back")
		}
	}
}
