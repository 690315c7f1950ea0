package devices

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tailscale.com/client/tailscale/v2"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
)

// Tailnet is what the API says.
type Tailnet struct {
	// Devices are all of the tailnet, sorted by name.
	Devices []Device `json:"devices"`
	// Leftovers are auth keys of ours that can still register a node.
	Leftovers []authkey.Leftover `json:"leftoverKeys,omitempty"`
	// Unread says why the keys could not be read, if so.
	Unread string `json:"unread,omitempty"`
}

// Device is a device of the tailnet.
type Device struct {
	ID string `json:"id"`
	// Name is that in MagicDNS, Hostname the one that the device gave itself.
	Name      string       `json:"name"`
	Hostname  string       `json:"hostname"`
	Addresses []netip.Addr `json:"addresses"`
	Tags      []string     `json:"tags,omitempty"`
	// Authorized is false while the device waits for approval.
	Authorized bool `json:"authorized"`
	Ephemeral  bool `json:"ephemeral"`
	// Expires is when it has to log in again, zero for never.
	Expires time.Time `json:"expires,omitzero"`
	// LastSeen is when it was last connected, zero for now.
	LastSeen time.Time `json:"lastSeen,omitzero"`
}

// Short returns the first label of the name.
func (d Device) Short() string {
	short, _, _ := strings.Cut(d.Name, ".")

	return short
}

// Look asks the API for the devices of the tailnet and for the keys that were minted with a description. That the credential
// may not read keys is no error, but said in [Tailnet.Unread].
func Look(ctx context.Context, minter *authkey.Minter, description string) (*Tailnet, error) {
	all, err := (*authkey.Devices)(minter).All(ctx)
	if err != nil {
		return nil, err
	}

	tailnet := &Tailnet{}

	for _, device := range all {
		if !device.IsExternal {
			tailnet.Devices = append(tailnet.Devices, newDevice(device))
		}
	}

	slices.SortFunc(tailnet.Devices, func(a, b Device) int { return strings.Compare(a.Name, b.Name) })

	if tailnet.Leftovers, err = minter.Leftovers(ctx, description); err != nil {
		tailnet.Unread = err.Error()
	}

	return tailnet, nil
}

func newDevice(answer tailscale.Device) Device {
	device := Device{
		ID: answer.NodeID, Name: answer.Name, Hostname: answer.Hostname, Tags: answer.Tags,
		Authorized: answer.Authorized, Ephemeral: answer.IsEphemeral,
	}

	for _, text := range answer.Addresses {
		if address, err := netip.ParseAddr(text); err == nil {
			device.Addresses = append(device.Addresses, address)
		}
	}

	if !answer.KeyExpiryDisabled {
		device.Expires = answer.Expires.Time
	}

	if answer.LastSeen != nil && !answer.ConnectedToControl {
		device.LastSeen = answer.LastSeen.Time
	}

	return device
}

// String returns the name and the first address.
func (d Device) String() string {
	if len(d.Addresses) == 0 {
		return d.Name
	}

	return fmt.Sprintf("%s (%s)", d.Name, d.Addresses[0])
}
