package devices

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

// The codes of [Diagnose].
const (
	// CodeMissing: the tailnet has no device for the node.
	CodeMissing verify.Code = "device-missing"
	// CodeDuplicate: the node registered more than once, and its name belongs to another registration.
	CodeDuplicate verify.Code = "device-duplicate"
	// CodeUnauthorized: the device waits for approval.
	CodeUnauthorized verify.Code = "device-unauthorized"
	// CodeExpired: the device has to log in again.
	CodeExpired verify.Code = "device-expired"
	// CodeExpires: the device's key will expire, and it will have to log in again.
	CodeExpires verify.Code = "device-expires"
	// CodeTags: the device lacks tags.
	CodeTags verify.Code = "device-tags"
	// CodeOffline: the device is not connected.
	CodeOffline verify.Code = "device-offline"
	// CodeEphemeral: the device is deleted when it goes offline, although it keeps its state.
	CodeEphemeral verify.Code = "device-ephemeral"
	// CodeRoutesPending: the device offers routes that are not enabled.
	CodeRoutesPending verify.Code = "device-routes-pending"
	// CodeRoutesMissing: the device does not offer routes that it should.
	CodeRoutesMissing verify.Code = "device-routes-missing"
	// CodeRoutesUnexpected: the device has routes that were not asked for.
	CodeRoutesUnexpected verify.Code = "device-routes-unexpected"
	// CodeUnusedKeys: auth keys were minted and not used.
	CodeUnusedKeys verify.Code = "key-unused"
	// CodeUnread: the credential may not read the auth keys.
	CodeUnread verify.Code = "keys-unread"
)

// Expected is a node that should be a device of the tailnet.
type Expected struct {
	// Name is that of the node in the tailnet, without the tailnet's own.
	Name string
	// Addresses are the node's own tailnet addresses, where they are known. They find the device under any name.
	Addresses []netip.Addr
	// Tags are what the device should have, with "tag:".
	Tags []string
	// Routes are the subnets that the device should offer to route to. It is nil where that is not known, and empty where
	// it should offer none.
	Routes []netip.Prefix
}

// Diagnose says what is wrong with the devices of the expected nodes, and which keys were left behind.
func Diagnose(fetched *Tailnet, expected []Expected, now time.Time) []verify.Finding {
	var findings []verify.Finding

	for _, node := range expected {
		findings = append(findings, fetched.diagnose(node, now)...)
	}

	if fetched.Unread != "" {
		findings = append(findings, verify.Finding{
			Code: CodeUnread, Severity: verify.SeverityUnknown, Subjects: []string{"auth keys"}, Cause: fetched.Unread,
			Next: []string{"give the credential the scope auth_keys:read"},
		})
	}

	if len(fetched.UnusedKeys) > 0 {
		findings = append(findings, unused(fetched.UnusedKeys))
	}

	return verify.Merge(findings)
}

// unused is one finding for all keys that are left over, with one command.
func unused(keys []tailnet.Key) verify.Finding {
	const mostNamed = 8

	var (
		subjects, ids []string
		last          time.Time
	)

	for _, key := range keys {
		subjects = append(subjects, "auth key "+key.ID)

		if isPlain(key.ID) {
			ids = append(ids, key.ID)
		}

		if key.Expires.After(last) {
			last = key.Expires
		}
	}

	what := "an auth key was minted and not used up"
	if len(keys) > 1 {
		what = strconv.Itoa(len(keys)) + " auth keys were minted and not used up"
	}

	command := "key revoke " + strings.Join(ids, " ")
	if len(ids) != len(keys) || len(keys) > mostNamed {
		command = "key revoke --unused --yes"
	}

	return verify.Finding{
		Code: CodeUnusedKeys, Severity: verify.SeverityWarning, Subjects: subjects,
		Cause: what + ": until " + last.UTC().Format(time.RFC3339) + " whoever has one can join the tailnet",
		Next:  []string{"where no node waits for it: talos-tsbridge " + command},
	}
}

// isPlain reports whether text of the API may stand in a command line as it is.
func isPlain(text string) bool { return printable.Word(text) == text }

// diagnose says what is wrong with the device of one node.
func (t *Tailnet) diagnose(node Expected, now time.Time) []verify.Finding {
	var findings []verify.Finding

	add := func(severity verify.Severity, code verify.Code, cause string, next ...string) {
		findings = append(findings, verify.Finding{Code: code, Severity: severity, Subjects: []string{node.Name}, Cause: cause, Next: next})
	}

	device, others := t.find(node)
	if device == nil {
		add(verify.SeverityFault, CodeMissing, "the tailnet has no device of this name or address",
			"look whether the node logged in: talosctl logs ext-tailscale; an auth key of another tailnet puts it there")

		return findings
	}

	if len(others) > 0 {
		add(verify.SeverityFault, CodeDuplicate, "the node registered more than once, as "+device.String()+" and "+strings.Join(describe(others), ", ")+
			": it lost its state, and the name leads to what it was before",
			removal(others)+", and give the node its name back (admin console, Machines); --replace-device does so before a node joins",
			"keep TS_STATE_DIR at /var/lib/tailscale, the one directory that outlives the service")
	}

	if !device.Authorized {
		add(verify.SeverityFault, CodeUnauthorized, "the device waits for approval", "approve it (admin console, Machines), and mint keys that are pre-authorized")
	}

	switch {
	case device.Expires.IsZero():
	case !device.Expires.After(now):
		add(verify.SeverityFault, CodeExpired, "the device's login expired at "+device.Expires.UTC().Format(time.RFC3339),
			"give it a tag, which ends expiry, or disable key expiry for it (admin console, Machines), and let it log in again")
	default:
		add(verify.SeverityWarning, CodeExpires, "the device has to log in again at "+device.Expires.UTC().Format(time.RFC3339)+", which no one will do on a node",
			"give it a tag, which ends expiry, or disable key expiry for it (admin console, Machines)")
	}

	if missing := slices.DeleteFunc(slices.Clone(node.Tags), func(tag string) bool { return slices.Contains(device.Tags, tag) }); len(missing) > 0 {
		add(verify.SeverityFault, CodeTags, "the device lacks "+strings.Join(missing, ", "),
			"give the tags an owner in the policy file: "+owners(missing),
			"set the tags (admin console, Machines); a changed --advertise-tags has no effect on a node that is logged in, unless it starts once with "+
				"TS_AUTH_ONCE=false and without TS_AUTHKEY")
	}

	const patience = 5 * time.Minute
	if !device.LastSeen.IsZero() && now.Sub(device.LastSeen) > patience {
		add(verify.SeverityFault, CodeOffline, "the device is not connected, and was last seen at "+device.LastSeen.UTC().Format(time.RFC3339),
			"look at the service on the node: talos-tsbridge verify --nodes NODE")
	}

	if device.Ephemeral {
		add(verify.SeverityFault, CodeEphemeral, "the device is ephemeral: the tailnet deletes it after an outage, and the state that the node kept is void then",
			"delete it, and let the node join with a key that is not ephemeral")
	}

	return append(findings, routes(*device, node)...)
}

// describe names other registrations of a node.
func describe(others []tailnet.Device) []string {
	texts := make([]string, 0, len(others))
	for _, other := range others {
		texts = append(texts, fmt.Sprintf("%s, last seen %s", other, lastSeen(other)))
	}

	return texts
}

// removal says how the other registrations of a node are removed.
func removal(others []tailnet.Device) string {
	var commands []string

	for _, other := range others {
		if isPlain(other.ID) {
			commands = append(commands, "talos-tsbridge device remove "+other.ID)
		}
	}

	if len(commands) == 0 {
		return "delete the devices that are not the node's (admin console, Machines)"
	}

	return "remove the devices that are not the node's: " + strings.Join(commands, "; ")
}

// find returns the device of a node and its other registrations. An address is certain; a name may be one that
// the tailnet numbered, and then the newest, which has the highest number, is the node's.
func (t *Tailnet) find(node Expected) (*tailnet.Device, []tailnet.Device) {
	var candidates []*tailnet.Device

	for i := range t.Devices {
		if number(t.Devices[i], node.Name) >= 0 {
			candidates = append(candidates, &t.Devices[i])
		}
	}

	slices.SortFunc(candidates, func(a, b *tailnet.Device) int { return number(*b, node.Name) - number(*a, node.Name) })

	var found *tailnet.Device
	if len(candidates) > 0 {
		found = candidates[0]
	}

	for i := range t.Devices {
		if t.Devices[i].HasAny(node.Addresses) {
			found = &t.Devices[i]
		}
	}

	var others []tailnet.Device

	for _, candidate := range candidates {
		if candidate != found {
			others = append(others, *candidate)
		}
	}

	return found, others
}

// Matching returns those devices that belong to the expected nodes, with all their registrations.
func Matching(all []tailnet.Device, expected []Expected) []tailnet.Device {
	return slices.DeleteFunc(slices.Clone(all), func(device tailnet.Device) bool {
		return !slices.ContainsFunc(expected, func(node Expected) bool {
			return number(device, node.Name) >= 0 || device.HasAny(node.Addresses)
		})
	})
}

func lastSeen(device tailnet.Device) string {
	if device.LastSeen.IsZero() {
		return "now"
	}

	return device.LastSeen.UTC().Format(time.RFC3339)
}

// number returns 0 for the device with a name, N for one that the tailnet called name-N because the name was taken, and -1
// for all others.
func number(device tailnet.Device, name string) int {
	if n, ok := device.IsOf(name); ok {
		return n
	}

	return -1
}
