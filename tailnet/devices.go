package tailnet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tailscale.com/client/tailscale/v2"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

// Device is a device of the tailnet.
type Device struct {
	// ID is the device's node ID, such as "nAbC123CNTRL".
	ID string `json:"id"`
	// Name is its name in MagicDNS, such as "vault.tail1234.ts.net", without a dot at its end, and from Headscale, which shows
	// no domain, the first label of that; Hostname is the one that the device gave itself.
	Name     string `json:"name"`
	Hostname string `json:"hostname"`
	// Addresses are its addresses in the tailnet, IPv4 first.
	Addresses []netip.Addr `json:"addresses"`
	Tags      []string     `json:"tags,omitempty"`
	// Authorized is false while the device waits for approval.
	Authorized bool `json:"authorized"`
	// Ephemeral tells that the tailnet deletes the device soon after it goes offline.
	Ephemeral bool `json:"ephemeral"`
	// Shared tells that the device belongs to another tailnet, which shared it with this one.
	Shared bool `json:"shared,omitempty"`
	// Created is when the device was registered.
	Created time.Time `json:"created,omitzero"`
	// Expires is when the device has to log in again, zero for never.
	Expires time.Time `json:"expires,omitzero"`
	// LastSeen is when the device was last connected, zero for now.
	LastSeen time.Time `json:"lastSeen,omitzero"`
	// AdvertisedRoutes are the subnets that the device offers to route to, EnabledRoutes those that the tailnet uses it for.
	AdvertisedRoutes []netip.Prefix `json:"advertisedRoutes,omitempty"`
	EnabledRoutes    []netip.Prefix `json:"enabledRoutes,omitempty"`
}

// HasAny reports whether the device has one of the addresses.
func (d Device) HasAny(addresses []netip.Addr) bool {
	return slices.ContainsFunc(d.Addresses, func(address netip.Addr) bool { return slices.Contains(addresses, address) })
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

// String returns the name and the first address.
func (d Device) String() string {
	if len(d.Addresses) == 0 {
		return d.Name
	}

	return fmt.Sprintf("%s (%s)", d.Name, d.Addresses[0])
}

// Devices returns the devices of the tailnet, sorted by name: also those that wait for approval, and those that are shared
// with it. The credential needs to read devices, which to an OAuth client is the scope devices:core:read.
//
// An answer with an address that cannot be read is an error: a device without it would pass for another one.
func (c *Client) Devices(ctx context.Context) ([]Device, error) {
	var answer []tailscale.Device

	err := c.call(ctx, stepDevices, http.MethodGet, func(ctx context.Context) error {
		var err error

		answer, err = c.official.Devices().List(ctx, tailscale.WithFields(tailscale.IncludeFieldsAll))

		return err
	})
	if err != nil {
		if _, ok := errors.AsType[*Error](err); !ok {
			return nil, err
		}

		return nil, fmt.Errorf("looking up devices: %w", err)
	}

	var faults []error

	devices := make([]Device, 0, len(answer))

	for _, one := range answer {
		device, err := deviceOf(one)
		if err != nil {
			faults = append(faults, fmt.Errorf("looking up devices: %w", err))

			continue
		}

		devices = append(devices, device)
	}

	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}

	slices.SortFunc(devices, func(a, b Device) int { return strings.Compare(a.Name, b.Name) })

	return devices, nil
}

// DevicesTagged returns the devices that have one of the tags, sorted by name, each once. "tag:" is added where it is
// missing. Devices that wait for approval are left out.
//
// It is an error, which names the tag, when no device has one of them: most likely the tag has a typing error, and a list
// without its devices would go unnoticed. So is a device without a name or an address.
func (c *Client) DevicesTagged(ctx context.Context, tagged ...string) ([]Device, error) {
	tagged, err := tailaddr.ParseTags(tagged)
	if err := errors.Join(c.Check(), err); err != nil {
		return nil, err
	}

	all, err := c.Devices(ctx)
	if err != nil {
		return nil, err
	}

	var (
		devices []Device
		faults  []error
		found   = map[string]bool{}
	)

	for _, device := range all {
		if !device.Authorized || !slices.ContainsFunc(device.Tags, func(tag string) bool { return slices.Contains(tagged, tag) }) {
			continue
		}

		for _, tag := range device.Tags {
			found[tag] = true
		}

		if device.Name == "" || len(device.Addresses) == 0 {
			faults = append(faults, fmt.Errorf("looking up devices: device %s has no name or no address: try again", quote.Value(device.ID)))

			continue
		}

		devices = append(devices, device)
	}

	for _, tag := range tagged {
		if !found[tag] {
			faults = append(faults, fmt.Errorf("looking up devices: none in the tailnet has %s: check the tag in the admin console (Machines)", tag))
		}
	}

	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}

	return devices, nil
}

func deviceOf(answer tailscale.Device) (Device, error) {
	device := Device{
		ID: answer.NodeID, Name: strings.TrimSuffix(answer.Name, "."), Hostname: answer.Hostname, Tags: answer.Tags,
		Authorized: answer.Authorized, Ephemeral: answer.IsEphemeral, Shared: answer.IsExternal, Created: answer.Created.Time,
	}

	if device.ID == "" {
		device.ID = answer.ID
	}

	for _, text := range answer.Addresses {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return Device{}, fmt.Errorf("the address %s of device %s cannot be read", quote.Value(text), quote.Value(answer.Name))
		}

		device.Addresses = append(device.Addresses, address)
	}

	slices.SortFunc(device.Addresses, netip.Addr.Compare)

	var err error

	if device.AdvertisedRoutes, err = routesOf(answer, answer.AdvertisedRoutes); err != nil {
		return Device{}, err
	}

	if device.EnabledRoutes, err = routesOf(answer, answer.EnabledRoutes); err != nil {
		return Device{}, err
	}

	if !answer.KeyExpiryDisabled {
		device.Expires = answer.Expires.Time
	}

	if answer.LastSeen != nil && !answer.ConnectedToControl {
		device.LastSeen = answer.LastSeen.Time
	}

	return device, nil
}

func routesOf(answer tailscale.Device, texts []string) ([]netip.Prefix, error) {
	var routes []netip.Prefix

	for _, text := range texts {
		route, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("the route %s of device %s cannot be read", quote.Value(text), quote.Value(answer.Name))
		}

		routes = append(routes, route)
	}

	slices.SortFunc(routes, netip.Prefix.Compare)

	return routes, nil
}

// StaticHosts returns the addresses of devices by their names in MagicDNS, whole and short: what static hosts of a node are
// made of, as patch.Settings has them. A server that shows no domain, as Headscale does not, leaves short names alone, unless
// the domain of the tailnet is given.
func StaticHosts(devices []Device, domain string) map[string][]string {
	hosts := map[string][]string{}
	domain = strings.Trim(domain, ".")

	for _, device := range devices {
		addresses := make([]string, 0, len(device.Addresses))
		for _, address := range device.Addresses {
			addresses = append(addresses, address.String())
		}

		name := device.Name
		if !strings.Contains(name, ".") && domain != "" {
			name += "." + domain
		}

		hosts[name] = addresses

		if short := device.ShortName(); short != "" {
			hosts[short] = addresses
		}
	}

	return hosts
}
