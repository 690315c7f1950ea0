package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

// loginCheck looks for what the tailnet would refuse to nodes that log in.
type loginCheck struct {
	plan *fleetPlan
	// replace tells that devices which have the names of nodes go before these join.
	replace bool
	// mints tells whether the key of a node is made by the credentials.
	mints func(node int) bool
	// devices, policy and grant ask the tailnet, once. Without credentials, or where these may not ask it, there are none and
	// nothing is checked.
	devices func() ([]tailnet.Device, time.Time)
	policy  func() *tailnet.Policy
	grant   func() tailnet.Grant
}

// newLoginCheck returns a check by the credentials in the environment. What cannot be checked is told, of the policy in a
// plan alone: few credentials may read it, and what it would have told, the login does.
func (p *program) newLoginCheck(ctx context.Context, flags *upFlags, plan *fleetPlan) *loginCheck {
	client := sync.OnceValue(func() *tailnet.Client {
		client, err := p.readyClient(ctx, tailnetFlags{flags.key.tailnet, true})
		if err != nil {
			if !errors.Is(err, tailnet.ErrNoCredentials) && !flags.quiet {
				p.note("the tailnet was not looked at: " + err.Error())
			}

			return nil
		}

		return client
	})

	return &loginCheck{
		plan: plan, replace: flags.key.replace,
		mints: func(node int) bool {
			source, err := p.keySource(cmp.Or(flags.authKey, plan.Key(node).Source))

			return err == nil && source.IsMint()
		},
		devices: sync.OnceValues(func() ([]tailnet.Device, time.Time) {
			if client() == nil {
				return nil, time.Time{}
			}

			devices, err := client().Devices(ctx)
			if err != nil && !flags.quiet {
				p.note(fmt.Sprintf("whether names are taken in the tailnet is not known: %v", err))
			}

			return devices, client().Now()
		}),
		policy: sync.OnceValue(func() *tailnet.Policy {
			if client() == nil {
				return nil
			}

			policy, err := client().Policy(ctx)
			if err != nil && flags.dryRun && !flags.quiet {
				p.note(fmt.Sprintf("whether the policy of the tailnet has the tags of the nodes is not known: %v", err))
			}

			return policy
		}),
		grant: sync.OnceValue(func() tailnet.Grant {
			if client() == nil {
				return tailnet.Grant{}
			}

			grant, err := client().Grant(ctx)
			if err != nil && !flags.quiet {
				p.note(fmt.Sprintf("which tags the credentials may give is not known: %v", err))
			}

			return grant
		}),
	}
}

// beforeLogin refuses a node whose tags nobody can have, or no key of the credentials, and one that takes a name which belongs
// to something else. It tells of what has the name and is not connected: that may be the node itself as it was before.
func (c *loginCheck) beforeLogin(_ context.Context, login fleet.Login) ([]string, error) {
	if login.Action != fleet.ActionConfigure {
		if err := c.checkTags(login.Node); err != nil {
			return nil, err
		}
	}

	var (
		notes []string
		err   error
		joins = takesKey(login.Action)
	)

	if joins && c.mints(login.Node) {
		if notes, err = c.checkGrant(login.Node); err != nil {
			return nil, err
		}
	}

	var names []string

	switch {
	case login.Hostname == "":
	case !c.replace:
		names, err = c.checkName(login)
	case joins:
		names, err = c.checkReplace(login)
	}

	return append(notes, names...), err
}

// checkName looks for a device that has the name which a node takes.
func (c *loginCheck) checkName(login fleet.Login) ([]string, error) {
	devices, now := c.devices()
	hostname := login.Hostname

	for _, device := range devices {
		if number, ok := device.IsOf(hostname); !ok || number != 0 || device.HasAny(login.Addresses) {
			continue
		}

		if device.Connected(now) {
			return nil, &fleet.Refusal{
				Code: fleet.CodeNameTaken, Cause: fmt.Sprintf("device %s has the name of the node and is connected: the node would be called %s-1", device, hostname),
				Next: []string{"give the node another hostname, or remove the device: talos-tsbridge device remove " + device.ID},
			}
		}

		return []string{fmt.Sprintf("device %s has the name of the node and is offline: where that is the node before it was rebuilt, give --replace-device, or the node is called %s-1",
			device, hostname)}, nil
	}

	return nil, nil
}

// checkReplace says which devices go before the node joins, and refuses what cannot go.
func (c *loginCheck) checkReplace(login fleet.Login) ([]string, error) {
	tags, err := tailaddr.ParseTags(c.keyTags(login.Node))
	if err != nil {
		return nil, nil //nolint:nilerr // what is wrong with them, the plan said
	}

	devices, now := c.devices()

	old, err := tailnet.Replaceable(devices, login.Hostname, tags, now)
	if guard, ok := errors.AsType[*tailnet.GuardError](err); ok {
		return nil, refuseReplace(guard)
	}

	notes := make([]string, 0, len(old))
	for _, device := range old {
		notes = append(notes, fmt.Sprintf("device %s (ID %s) is removed first, so that the node gets its name back", device, device.ID))
	}

	return notes, nil
}

// refuseReplace says what to do about a device that is not removed.
func refuseReplace(guard *tailnet.GuardError) *fleet.Refusal {
	refused := &fleet.Refusal{Code: fleet.CodeNameTaken, Cause: guard.Error()}

	if guard.Guard == tailnet.GuardConnected {
		refused.Next = append(refused.Next, "where that is the node before it was rebuilt, run up again once the tailnet has not seen it for two minutes: "+
			"talos-tsbridge device list shows since when")
	}

	for _, device := range guard.Devices {
		refused.Next = append(refused.Next, "give the node another hostname in the file, or remove the device: talos-tsbridge device remove "+device.ID)
	}

	return refused
}

// keyTags are those of the key that is minted for a node.
func (c *loginCheck) keyTags(node int) []string {
	for _, tags := range [][]string{c.plan.keyTags, c.plan.Key(node).Tags, c.plan.Settings(node).AdvertiseTags} {
		if len(tags) > 0 {
			return tags
		}
	}

	return nil
}

// checkGrant refuses a key that the credentials cannot make, and tells of one that they may not be able to.
func (c *loginCheck) checkGrant(node int) ([]string, error) {
	tags, err := tailaddr.ParseTags(c.keyTags(node))
	if err != nil {
		return nil, nil //nolint:nilerr // what is wrong with them, the plan said
	}

	grant := c.grant()
	if !grant.MakesKeys() {
		return nil, &fleet.Refusal{
			Code: fleet.CodeKey, Cause: "the OAuth client cannot make a key: its scopes are " + strings.Join(grant.Scopes, ", "),
			Next: []string{"give it the scope auth_keys, writable (admin console, Settings > Trust credentials)"},
		}
	}

	var notes []string

	if settings := c.plan.Settings(node); settings.LoginServer != nil && len(settings.AdvertiseTags) > 0 {
		notes = append(notes, "asks for tags, which Headscale refuses to a node that joins with a key: give them to the key alone, authKey: {tags: [...]}, "+
			"and leave advertiseTags out")
	}

	unowned, known := grant.Unowned(c.policy(), tags...)
	has := "the OAuth client has " + strings.Join(grant.Tags, ", ")

	switch {
	case len(unowned) > 0:
		return nil, &fleet.Refusal{
			Code: fleet.CodeTagsNotOwned, Cause: fmt.Sprintf("%s, and makes keys with exactly these or with tags that these own, which %s is not", has, strings.Join(unowned, ", ")),
			Next: []string{
				"write exactly the tags of the client in advertiseTags, or use a client that has those",
				"or let its tags own them in the policy file: " + tagOwners(unowned, grant.Tags[0]),
			},
		}
	case !known && len(grant.Tags) > 0:
		notes = append(notes, fmt.Sprintf("%s: whether the policy lets these own %s, so that a key is made, is not known", has, strings.Join(tags, ", ")))
	}

	return notes, nil
}

// tagOwners writes the lines of a policy file that give tags an owner.
func tagOwners(tags []string, owner string) string {
	lines := make([]string, len(tags))
	for i, tag := range tags {
		lines[i] = fmt.Sprintf("%q: [%q]", tag, owner)
	}

	return `"tagOwners": {` + strings.Join(lines, ", ") + "}"
}

func (c *loginCheck) checkTags(node int) error {
	tags, err := tailaddr.ParseTags(slices.Concat(c.plan.Settings(node).AdvertiseTags, c.plan.Key(node).Tags, c.plan.keyTags))
	if err != nil || len(tags) == 0 {
		return nil //nolint:nilerr // what is wrong with them, the plan said
	}

	policy := c.policy()
	if policy == nil {
		return nil
	}

	undefined := policy.Undefined(tags...)
	if len(undefined) == 0 {
		return nil
	}

	return &fleet.Refusal{
		Code: fleet.CodeTagsNotOwned, Cause: "the policy of the tailnet does not have " + strings.Join(undefined, ", ") + ": no key can be made with it, and no device can ask for it",
		Next: []string{"give it an owner in the policy file: " + tagOwners(undefined, "autogroup:admin"),
			"or write a tag in advertiseTags that the policy has"},
	}
}
