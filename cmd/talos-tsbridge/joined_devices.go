package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

// joinedDevices are the devices of a tailnet as they are when they are first asked for.
type joinedDevices struct {
	client *tailnet.Client

	guard   sync.Mutex
	asked   bool
	devices []tailnet.Device
}

// of returns the device that a host has joined with, nil where there is none: one whose login has expired needs a key again.
func (j *joinedDevices) of(ctx context.Context, hostname string) (*tailnet.Device, error) {
	j.guard.Lock()
	defer j.guard.Unlock()

	if !j.asked {
		devices, err := j.client.Devices(ctx)
		if err != nil {
			return nil, fmt.Errorf("whether the node has joined is not known: %w", err)
		}

		j.devices, j.asked = devices, true
	}

	for i := range j.devices {
		device := &j.devices[i]
		if _, ok := device.IsOf(hostname); ok && (device.Expires.IsZero() || device.Expires.After(j.client.Now())) {
			return device, nil
		}
	}

	return nil, nil //nolint:nilnil // there is none
}

// hasJoined reports whether the node is a device of the tailnet already, where that matters. What is left of a node that is
// to be replaced does not count.
func (m *minting) hasJoined(ctx context.Context) (bool, error) {
	if !m.wanted.once {
		return false, nil
	}

	device, err := m.joined.of(ctx, m.wanted.hostname)
	if err != nil || device == nil {
		return false, err
	}

	offline := !device.Connected(m.minter.Client.Now())
	if offline && m.wanted.replace {
		return false, nil
	}

	if !m.wanted.quiet {
		note := fmt.Sprintf("no key was minted: the tailnet has device %s", device)
		if offline {
			note += fmt.Sprintf(", last seen %s; where that is the node before it was rebuilt, give --replace-device", device.LastSeen.UTC().Format(time.RFC3339))
		}

		m.program.note(note)
	}

	return true, nil
}
