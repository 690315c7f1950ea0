package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
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
	// devices and policy ask the tailnet, once. Without credentials, or where these may not ask it, there are none and
	// nothing is checked.
	devices func() ([]tailnet.Device, time.Time)
	policy  func() *tailnet.Policy
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
	}
}

// beforeLogin refuses a node whose tags nobody can have, and one that takes a name which belongs to a device that is
// connected. It tells of one that is not connected: that may be the node itself as it was before.
func (c *loginCheck) beforeLogin(_ context.Context, login fleet.Login) ([]string, error) {
	if login.Action != fleet.ActionConfigure {
		if err := c.checkTags(login.Node); err != nil {
			return nil, err
		}
	}

	hostname := login.Hostname
	if hostname == "" || c.replace {
		return nil, nil
	}

	devices, now := c.devices()

	for _, device := range devices {
		if number, ok := device.IsOf(hostname); !ok || number != 0 || isAt(device, login.Addresses) {
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

// isAt reports whether a device has one of the addresses.
func isAt(device tailnet.Device, addresses []netip.Addr) bool {
	return slices.ContainsFunc(device.Addresses, func(address netip.Addr) bool { return slices.Contains(addresses, address) })
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
		Next: []string{fmt.Sprintf(`give it an owner in the policy file: "tagOwners": {"%s": ["autogroup:admin"]}`, strings.Join(undefined, `": ["autogroup:admin"], "`)),
			"or write a tag in advertiseTags that the policy has"},
	}
}
