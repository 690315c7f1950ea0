package authkey

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"tailscale.com/client/tailscale/v2"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

// Devices looks up the devices of a tailnet. It has the fields of a [Minter], with the same meanings, defaults and retries,
// and makes no keys: its credential needs to read devices only, which to an OAuth client is the scope devices:core:read.
type Devices Minter

// Device is a device of the tailnet.
type Device struct {
	// Name is its name in MagicDNS, such as "vault.tail1234.ts.net".
	Name string
	// Addresses are its addresses in the tailnet, IPv4 first.
	Addresses []netip.Addr
	// Tags are its tags.
	Tags []string
	// Shared tells that it belongs to another tailnet, which shared it with this one.
	Shared bool
}

// ShortName returns the first label of the name, by which the devices of its own tailnet find it, and "" for a device that
// is shared: that has only its whole name here, and one of this tailnet may have the short one.
func (d Device) ShortName() string {
	if d.Shared {
		return ""
	}

	name, _, _ := strings.Cut(d.Name, ".")

	return name
}

// DevicesFromEnv returns a [Devices] that is made as [MinterFromEnv] makes a Minter.
func DevicesFromEnv(lookup func(string) (string, bool)) (*Devices, error) {
	minter, err := MinterFromEnv(lookup)

	return (*Devices)(minter), err
}

// Tagged returns the devices that have one of the tags, sorted by name, each once. "tag:" is added where it is missing.
// Devices that wait for approval are left out.
//
// It is an error, which names the tag, when no device has one of them: most likely the tag has a typing error, and a list
// without its devices would go unnoticed.
func (d *Devices) Tagged(ctx context.Context, tags ...string) ([]Device, error) {
	tags, err := tailaddr.ParseTags(tags)

	m := (*Minter)(d)
	if err := errors.Join(m.init(), err); err != nil {
		return nil, err
	}

	all, err := d.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking up devices: %w", err)
	}

	var (
		devices []Device
		faults  []error
		found   = map[string]bool{}
	)

	for _, device := range all {
		if !device.Authorized || !slices.ContainsFunc(device.Tags, func(tag string) bool { return slices.Contains(tags, tag) }) {
			continue
		}

		for _, tag := range device.Tags {
			found[tag] = true
		}

		parsed, err := parseDevice(device)
		if err != nil {
			faults = append(faults, err)

			continue
		}

		devices = append(devices, parsed)
	}

	for _, tag := range tags {
		if !found[tag] {
			faults = append(faults, fmt.Errorf("looking up devices: none in the tailnet has %s: check the tag in the admin console (Machines)", tag))
		}
	}

	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}

	slices.SortFunc(devices, func(a, b Device) int { return strings.Compare(a.Name, b.Name) })

	return devices, nil
}

// All returns the devices of the tailnet as the API describes them, also those that wait for approval and those that are
// shared with it.
func (d *Devices) All(ctx context.Context) ([]tailscale.Device, error) {
	if err := (*Minter)(d).init(); err != nil {
		return nil, err
	}

	all, err := d.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking up devices: %w", err)
	}

	return all, nil
}

func (d *Devices) list(ctx context.Context) ([]tailscale.Device, error) {
	m := (*Minter)(d)

	ctx, cancel := context.WithTimeout(withStep(ctx, stepDevices), m.timeout())
	defer cancel()

	var devices []tailscale.Device

	err := m.retrier().do(ctx, func() error {
		var err error

		devices, err = m.client.Devices().List(ctx)

		return m.understood(err, stepDevices, http.MethodGet)
	})

	return devices, err
}

func parseDevice(device tailscale.Device) (Device, error) {
	parsed := Device{Name: strings.TrimSuffix(device.Name, "."), Tags: device.Tags, Shared: device.IsExternal}

	for _, text := range device.Addresses {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return Device{}, fmt.Errorf("looking up devices: device %s has the address %s, which is none", quote.Value(device.Name), quote.Value(text))
		}

		parsed.Addresses = append(parsed.Addresses, address)
	}

	if parsed.Name == "" || len(parsed.Addresses) == 0 {
		return Device{}, fmt.Errorf("looking up devices: device %s has no name or no address: try again", quote.Value(device.NodeID))
	}

	slices.SortFunc(parsed.Addresses, netip.Addr.Compare)

	return parsed, nil
}
