package tailnet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"tailscale.com/client/tailscale/v2"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

// Guard is why a device is not removed.
type Guard string

// The guards of [Client.RemoveDevice] and [Client.ReplaceDevice].
const (
	// GuardConnected: the device is connected, or was a moment ago, by the server's clock.
	GuardConnected Guard = "connected"
	// GuardShared: the device belongs to another tailnet, which shared it.
	GuardShared Guard = "shared"
	// GuardAmbiguous: more than one device may be meant.
	GuardAmbiguous Guard = "ambiguous"
	// GuardTags: the device has other tags than the one that is to take its name.
	GuardTags Guard = "tags"
	// GuardChanged: the device is not what it was when it was chosen.
	GuardChanged Guard = "changed"
)

// GuardError tells that a device was not removed, and that nothing was done.
type GuardError struct {
	Guard Guard
	// Devices are those that it is about.
	Devices []Device

	text string
}

func (e *GuardError) Error() string { return e.text }

func guarded(guard Guard, devices []Device, format string, args ...any) error {
	return &GuardError{Guard: guard, Devices: devices, text: fmt.Sprintf(format, args...)}
}

// reconnects is how long a device that was connected may come back as if nothing had been.
const reconnects = 2 * time.Minute

// Connected reports whether the device is connected at a time by the server's clock, which is [Client.Now]. One that was
// connected two minutes before counts as connected: it may just have lost its connection.
func (d Device) Connected(now time.Time) bool {
	return d.LastSeen.IsZero() || now.Sub(d.LastSeen) < reconnects
}

// IsOf reports whether the device is a registration of a host: its name is that of the host, or, where the tailnet had to
// number it because the name was taken, begins with it and the host calls itself so. number is 0 for the name itself.
func (d Device) IsOf(hostname string) (number int, ok bool) {
	short := d.ShortName()
	if short == "" {
		return 0, false
	}

	if strings.EqualFold(short, hostname) {
		return 0, true
	}

	rest, ok := strings.CutPrefix(strings.ToLower(short), strings.ToLower(hostname)+"-")

	number, err := strconv.Atoi(rest)
	if !ok || err != nil || number < 1 || !strings.EqualFold(d.Hostname, hostname) {
		return 0, false
	}

	return number, true
}

// SelectDevice returns the device of an ID, of a name in MagicDNS, or of the first label of one. A name that is also what
// another device calls itself, as one that was registered again does, is ambiguous: then only the whole name or the ID will
// do.
func SelectDevice(devices []Device, nameOrID string) (Device, error) {
	var named, called []Device

	for _, device := range devices {
		switch {
		case nameOrID != "" && (device.ID == nameOrID || strings.Contains(device.Name, ".") && strings.EqualFold(device.Name, nameOrID)):
			return device, nil
		case nameOrID != "" && strings.EqualFold(device.ShortName(), nameOrID):
			named = append(named, device)
		case nameOrID != "" && strings.EqualFold(device.Hostname, nameOrID):
			called = append(called, device)
		}
	}

	if len(named) == 1 && len(called) == 0 {
		return named[0], nil
	}

	if len(named)+len(called) == 0 {
		return Device{}, fmt.Errorf("no device of the tailnet has the name or ID %s", quote.Value(nameOrID))
	}

	all := slices.Concat(named, called)

	ids := make([]string, 0, len(all))
	for _, device := range all {
		ids = append(ids, fmt.Sprintf("%s (ID %s)", device, device.ID))
	}

	return Device{}, guarded(GuardAmbiguous, all, "%s may be more than one device, give the ID of one: %s", quote.Value(nameOrID), strings.Join(ids, ", "))
}

// RemoveDevice removes a device that was chosen from the list of [Client.Devices]. It looks at the device again first: one
// that is connected is not removed unless connected is true, one that is shared never, and neither is one that has changed.
//
// The credential needs to write devices, which to an OAuth client is the scope devices:core.
func (c *Client) RemoveDevice(ctx context.Context, chosen Device, connected bool) error {
	if chosen.Shared {
		return guarded(GuardShared, []Device{chosen}, "device %s is shared with this tailnet by another one, where it can be removed", chosen)
	}

	device, err := c.device(ctx, chosen.ID)
	if err != nil {
		return fmt.Errorf("removing device %s: %w", chosen, err)
	}

	switch {
	case device.ID != chosen.ID, device.Name != chosen.Name, device.Shared, !device.Created.Equal(chosen.Created):
		return guarded(GuardChanged, []Device{device}, "device %s has changed since it was looked up: look again", chosen)
	case !connected && device.Connected(c.Now()):
		return guarded(GuardConnected, []Device{device}, "device %s is connected, or was a moment ago", device)
	}

	if err := c.deleteDevice(ctx, device.ID); err != nil {
		return fmt.Errorf("removing device %s: %w", device, err)
	}

	return nil
}

// ReplaceDevice removes what is left of a host that is to join again, so that it gets its name back: the devices that are
// registrations of the hostname, as [Device.IsOf] tells, and have exactly the tags ("tag:" is added where it is missing). It
// returns what it removed.
//
// Nothing is removed when one of them is connected or has other tags: then the host is alive, or the name is that of
// something else, and the error is a [GuardError].
func (c *Client) ReplaceDevice(ctx context.Context, hostname string, tags []string) ([]Device, error) {
	if hostname == "" {
		return nil, errors.New("replacing a device takes the hostname of the node")
	}

	tags, err := tailaddr.ParseTags(tags)
	if err != nil {
		return nil, err
	}

	all, err := c.Devices(ctx)
	if err != nil {
		return nil, err
	}

	return c.removeRegistrations(ctx, all, hostname, tags)
}

// RestoreName gives a host its name back that joined with a number because the name was taken: it removes what is left of
// the host, as [Client.ReplaceDevice] does, and renames the device that has one of the addresses. It returns what it removed
// and the device as it was, which is nil where nothing was to be done: there is no such device, or it has its name.
func (c *Client) RestoreName(ctx context.Context, hostname string, addresses []netip.Addr) (removed []Device, renamed *Device, err error) {
	all, err := c.Devices(ctx)
	if err != nil {
		return nil, nil, err
	}

	own := slices.IndexFunc(all, func(device Device) bool { return device.HasAny(addresses) })
	if own < 0 {
		return nil, nil, nil
	}

	device := all[own]
	if number, ok := device.IsOf(hostname); !ok || number == 0 {
		return nil, nil, nil
	}

	removed, err = c.removeRegistrations(ctx, slices.Delete(all, own, own+1), hostname, device.Tags)
	if err != nil {
		return removed, nil, err
	}

	return removed, &device, c.RenameDevice(ctx, device.ID, strings.ToLower(hostname))
}

// removeRegistrations removes those devices that are registrations of a host, or none where one of them may not be removed.
func (c *Client) removeRegistrations(ctx context.Context, all []Device, hostname string, tags []string) ([]Device, error) {
	old, err := Replaceable(all, hostname, tags, c.Now())
	if err != nil {
		return nil, err
	}

	for i, device := range old {
		if err := c.RemoveDevice(ctx, device, false); err != nil && !Is(err, ReasonNotFound) {
			return old[:i], err
		}
	}

	return old, nil
}

// Replaceable returns those of the devices that [Client.ReplaceDevice] would remove for a host at a time by the server's
// clock. The tags have their prefix. It fails as that does where one of them may not be removed.
func Replaceable(all []Device, hostname string, tags []string, now time.Time) ([]Device, error) {
	var old []Device

	for _, device := range all {
		if _, ok := device.IsOf(hostname); !ok {
			continue
		}

		switch {
		case device.Connected(now):
			return nil, guarded(GuardConnected, []Device{device}, "device %s is connected, or was a moment ago, and has the name %s", device, quote.Value(hostname))
		case !sameTags(device.Tags, tags):
			return nil, guarded(GuardTags, []Device{device}, "device %s has the name and other tags (%s instead of %s), so it may be something else: remove it yourself",
				device, orNone(device.Tags), orNone(tags))
		}

		old = append(old, device)
	}

	return old, nil
}

func orNone(tags []string) string {
	if len(tags) == 0 {
		return "none"
	}

	return strings.Join(tags, ", ")
}

// RenameDevice gives a device another name in MagicDNS, of which name is the first label. The API refuses one that is taken.
func (c *Client) RenameDevice(ctx context.Context, id, name string) error {
	if err := checkDeviceID(id); err != nil {
		return err
	}

	err := c.call(ctx, stepChangeDevice, http.MethodPost, func(ctx context.Context) error { return c.official.Devices().SetName(ctx, id, name) })
	if err != nil {
		return fmt.Errorf("renaming device %s: %w", id, err)
	}

	return nil
}

func (c *Client) device(ctx context.Context, id string) (Device, error) {
	if err := checkDeviceID(id); err != nil {
		return Device{}, err
	}

	var answer *tailscale.Device

	err := c.call(ctx, stepDevice, http.MethodGet, func(ctx context.Context) error {
		var err error

		answer, err = c.official.Devices().GetWithAllFields(ctx, id)

		return err
	})
	if err != nil {
		return Device{}, err
	}

	return deviceOf(*answer)
}

// deleteDevice deletes a device. It is no error when an earlier attempt did so and only its answer got lost.
func (c *Client) deleteDevice(ctx context.Context, id string) error {
	tried := false

	return c.call(ctx, stepChangeDevice, http.MethodDelete, func(ctx context.Context) error {
		err := c.official.Devices().Delete(ctx, id)

		if failure, ok := errors.AsType[*Error](err); ok && failure.step == stepChangeDevice {
			if tried && failure.Reason == ReasonNotFound {
				return nil
			}

			tried = tried || failure.uncertain && failure.Reason != ReasonRateLimited
		}

		return err
	})
}

func checkDeviceID(id string) error {
	if id == "" || !isID(id) {
		return errors.New("the ID of a device has letters, digits, hyphens and underscores only")
	}

	return nil
}
