package tailnettest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Device is a device that registered with a key.
type Device struct {
	// ID is the device's node ID, such as "nAbC123CNTRL".
	ID string
	// Hostname is the name it registered with, Name its name in MagicDNS.
	Hostname, Name string
	// Addresses are its tailnet addresses, IPv4 first.
	Addresses []string
	Tags      []string
	// Authorized is false while the device waits for approval: it registered with a key that was not pre-authorized.
	Authorized bool
	Ephemeral  bool
	Created    time.Time
	// KeyID is the ID of the key that it registered with.
	KeyID string
	// Expires is when it has to log in again. Default: never, as for devices with tags.
	Expires time.Time
	// LastSeen is when it was last connected. Default: it is connected.
	LastSeen time.Time
	// Shared tells that it belongs to another tailnet, which shared it.
	Shared bool
	// AdvertisedRoutes are the subnets that it offers to route to. EnabledRoutes are those that it is used for.
	AdvertisedRoutes, EnabledRoutes []string
}

// ErrKeyUsed and ErrKeyInvalid are what a node is told whose key cannot register it.
var (
	ErrKeyUsed    = errors.New("authkey already used")
	ErrKeyInvalid = errors.New("invalid key: API key not valid")
)

// Register uses a key as a node does that joins the tailnet. It returns [ErrKeyUsed] for a single-use key that was used,
// and [ErrKeyInvalid] for a key that is unknown, expired or revoked.
func (s *Server) Register(key, hostname string) (Device, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	i := slices.IndexFunc(s.keys, func(k *Key) bool { return k.Secret == key })
	if i < 0 {
		return Device{}, ErrKeyInvalid
	}

	used := s.keys[i]

	switch {
	case !used.Revoked.IsZero() || !s.now().Before(used.Expires):
		return Device{}, ErrKeyInvalid
	case !used.usable(s.now()):
		return Device{}, ErrKeyUsed
	}

	used.Uses++

	name := strings.ToLower(hostname)
	for n := 1; slices.ContainsFunc(s.devices, func(d *Device) bool { return strings.HasPrefix(d.Name, name+".") }); n++ {
		name = fmt.Sprintf("%s-%d", strings.ToLower(hostname), n)
	}

	number := len(s.devices) + 1
	device := &Device{
		ID: newID("n"), Hostname: hostname, Name: name + ".tail1234.ts.net",
		Addresses: []string{
			fmt.Sprintf("100.64.%d.%d", number/256, number%256),
			fmt.Sprintf("fd7a:115c:a1e0::%x", number),
		},
		Tags: slices.Clone(used.Tags), Authorized: used.Preauthorized, Ephemeral: used.Ephemeral,
		Created: s.now().Truncate(time.Second), KeyID: used.ID,
	}

	if s.headscale {
		device.ID = numberOf(len(s.devices))
	}

	s.devices = append(s.devices, device)

	return *device, nil
}

// Devices returns the devices that are registered, the oldest first.
func (s *Server) Devices() []Device {
	s.mu.Lock()
	defer s.mu.Unlock()

	devices := make([]Device, 0, len(s.devices))
	for _, device := range s.devices {
		devices = append(devices, *device)
	}

	return devices
}

// SetDevice changes the device of this ID. It is a mistake if there is none.
func (s *Server) SetDevice(id string, change func(*Device)) {
	s.set(func() {
		for _, device := range s.devices {
			if device.ID == id {
				change(device)

				return
			}
		}

		panic("there is no device " + id)
	})
}

type deviceAnswer struct {
	ID          string    `json:"id"`
	NodeID      string    `json:"nodeId"`
	Name        string    `json:"name"`
	Hostname    string    `json:"hostname"`
	Addresses   []string  `json:"addresses"`
	Tags        []string  `json:"tags,omitempty"`
	Authorized  bool      `json:"authorized"`
	IsEphemeral bool      `json:"isEphemeral"`
	Created     time.Time `json:"created"`
	OS          string    `json:"os"`

	KeyExpiryDisabled  bool       `json:"keyExpiryDisabled"`
	Expires            time.Time  `json:"expires,omitzero"`
	ConnectedToControl bool       `json:"connectedToControl"`
	LastSeen           *time.Time `json:"lastSeen,omitempty"`
	IsExternal         bool       `json:"isExternal"`

	// these are there only when all fields are asked for
	AdvertisedRoutes []string `json:"advertisedRoutes,omitempty"`
	EnabledRoutes    []string `json:"enabledRoutes,omitempty"`
}

func (d *Device) answer(r *http.Request) deviceAnswer {
	shown := deviceAnswer{
		ID: d.ID, NodeID: d.ID, Name: d.Name, Hostname: d.Hostname, Addresses: d.Addresses, Tags: d.Tags,
		Authorized: d.Authorized, IsEphemeral: d.Ephemeral, Created: d.Created, OS: "linux",
		KeyExpiryDisabled: d.Expires.IsZero(), Expires: d.Expires, ConnectedToControl: d.LastSeen.IsZero(), IsExternal: d.Shared,
	}

	if r.URL.Query().Get("fields") == "all" {
		shown.AdvertisedRoutes, shown.EnabledRoutes = d.AdvertisedRoutes, d.EnabledRoutes
	}

	if !d.LastSeen.IsZero() {
		shown.LastSeen = &d.LastSeen
	}

	return shown
}

// answerOf is the device in the manner of the server.
func (s *Server) answerOf(device *Device, r *http.Request) any {
	if s.headscale {
		return asHeadscale(device.answer(r))
	}

	return device.answer(r)
}

func (s *Server) listDevices(r *http.Request, who actor) answer {
	if !who.may("devices:core:read") {
		return failure(http.StatusForbidden, textForbidden)
	}

	list := []any{}
	for _, device := range s.devices {
		list = append(list, s.answerOf(device, r))
	}

	return success(map[string]any{"devices": list})
}

func (s *Server) getDevice(r *http.Request, who actor) answer {
	if !who.may("devices:core:read") {
		return failure(http.StatusForbidden, textForbidden)
	}

	for _, device := range s.devices {
		if device.ID == r.PathValue("id") {
			return success(s.answerOf(device, r))
		}
	}

	return failure(http.StatusNotFound, "device not found")
}

func (s *Server) deleteDevice(r *http.Request, who actor) answer {
	if !who.may("devices:core") {
		return failure(http.StatusForbidden, textForbidden)
	}

	before := len(s.devices)

	s.devices = slices.DeleteFunc(s.devices, func(d *Device) bool { return d.ID == r.PathValue("id") })
	if len(s.devices) == before {
		return failure(http.StatusNotFound, "device not found")
	}

	return answer{status: http.StatusOK}
}

func (s *Server) renameDevice(r *http.Request, who actor) answer {
	if !who.may("devices:core") {
		return failure(http.StatusForbidden, textForbidden)
	}

	var request struct {
		Name string `json:"name"`
	}

	if err := json.NewDecoder(r.Body).Decode(&request); err != nil || request.Name == "" {
		return failure(http.StatusBadRequest, "the body is not a request for a name")
	}

	short, _, whole := strings.Cut(request.Name, ".")
	if whole && s.headscale {
		return failure(http.StatusBadRequest, "renaming device")
	}

	name := strings.ToLower(short) + ".tail1234.ts.net"

	for _, device := range s.devices {
		if device.Name == name && device.ID != r.PathValue("id") {
			return failure(http.StatusBadRequest, "the name is taken")
		}
	}

	for _, device := range s.devices {
		if device.ID == r.PathValue("id") {
			device.Name = name

			return answer{status: http.StatusOK}
		}
	}

	return failure(http.StatusNotFound, "device not found")
}
