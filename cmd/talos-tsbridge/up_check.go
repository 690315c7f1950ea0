package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/siderolabs/go-pointer"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

// nameCheck looks for the names of nodes in the tailnet before they join.
type nameCheck struct {
	plan *fleetPlan
	// devices asks the tailnet, once. Without credentials that may ask it, there are none, and names are not checked.
	devices func() ([]tailnet.Device, time.Time)
}

// newNameCheck returns a check by the credentials in the environment.
func (p *program) newNameCheck(ctx context.Context, flags *upFlags, plan *fleetPlan) *nameCheck {
	return &nameCheck{plan: plan, devices: sync.OnceValues(func() ([]tailnet.Device, time.Time) {
		key := flags.key
		key.quiet = true

		client, err := p.readyClient(ctx, &key)
		if err != nil {
			return nil, time.Time{}
		}

		devices, err := client.Devices(ctx)
		if err != nil && !flags.quiet {
			p.note(fmt.Sprintf("whether names are taken in the tailnet is not known: %v", err))
		}

		return devices, client.Now()
	})}
}

// beforeJoin refuses a node whose name belongs to a device that is connected, and tells of one that is not: that may be the
// node itself as it was before.
func (c *nameCheck) beforeJoin(_ context.Context, node int) ([]string, error) {
	hostname := pointer.SafeDeref(c.plan.Settings(node).Hostname)
	if hostname == "" {
		return nil, nil
	}

	devices, now := c.devices()

	for _, device := range devices {
		if number, ok := device.IsOf(hostname); !ok || number != 0 {
			continue
		}

		if device.Connected(now) {
			return nil, &fleet.Refusal{
				Code: fleet.CodeNameTaken, Cause: fmt.Sprintf("device %s has the name of the node and is connected: the node would join as %s-1", device, hostname),
				Next: []string{"give the node another hostname in the file, or remove the device: talos-tsbridge device remove " + device.ID},
			}
		}

		return []string{fmt.Sprintf("device %s has the name of the node and is offline: where that is the node before it was rebuilt, give --replace-device, or it joins as %s-1",
			device, hostname)}, nil
	}

	return nil, nil
}
