package devices_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/devices"
)

func minterOf(t *testing.T, server *tailnettest.Server) *mint.Minter {
	t.Helper()

	minter, err := mint.FromEnv(server.LookupEnv(server.AddAPIToken()))
	require.NoError(t, err)

	return minter
}

// join registers a node with a key of its own.
func join(t *testing.T, server *tailnettest.Server, minter *mint.Minter, options mint.Options, name string) tailnettest.Device {
	t.Helper()

	lease, err := minter.Lease(context.Background(), options)
	require.NoError(t, err)

	keys := server.Keys()
	device, err := server.Register(keys[len(keys)-1].Secret, name)
	require.NoError(t, err)
	require.Equal(t, lease.ID(), device.KeyID)

	return device
}

func TestDevices(t *testing.T) {
	t.Parallel()

	now := time.Now()
	tagged := mint.Options{Tags: []string{"tag:k8s"}}
	lan := netip.MustParsePrefix("192.168.1.0/24")

	for _, test := range []struct {
		name     string
		options  mint.Options
		change   func(*tailnettest.Server, tailnettest.Device)
		expected devices.Expected
		want     verify.Code
		severity verify.Severity
		cause    string
	}{
		{"as it should be", tagged, nil, devices.Expected{Name: "lab"}, "", "", ""},
		{"missing", tagged, nil, devices.Expected{Name: "other"}, devices.CodeMissing, verify.SeverityFault, "no device of this name"},
		{"under another name", tagged, nil, devices.Expected{Name: "other", Addresses: []netip.Addr{netip.MustParseAddr("100.64.0.1")}}, "", "", ""},
		{"without a tag", tagged, nil, devices.Expected{Name: "lab", Tags: []string{"tag:k8s", "tag:edge"}}, devices.CodeTags, verify.SeverityFault, "lacks tag:edge"},
		{"not approved", mint.Options{Tags: []string{"tag:k8s"}, RequireApproval: true}, nil, devices.Expected{Name: "lab"},
			devices.CodeUnauthorized, verify.SeverityFault, "waits for approval"},
		{"ephemeral", mint.Options{Tags: []string{"tag:k8s"}, Ephemeral: true}, nil, devices.Expected{Name: "lab"},
			devices.CodeEphemeral, verify.SeverityFault, "is ephemeral"},
		{"expired", tagged, func(s *tailnettest.Server, d tailnettest.Device) {
			s.SetDevice(d.ID, func(d *tailnettest.Device) { d.Expires = now.Add(-time.Hour) })
		}, devices.Expected{Name: "lab"}, devices.CodeExpired, verify.SeverityFault, "login expired"},
		{"will expire", tagged, func(s *tailnettest.Server, d tailnettest.Device) {
			s.SetDevice(d.ID, func(d *tailnettest.Device) { d.Expires = now.Add(time.Hour) })
		}, devices.Expected{Name: "lab"}, devices.CodeExpires, verify.SeverityWarning, "log in again"},
		{"routes are not enabled", tagged, func(s *tailnettest.Server, d tailnettest.Device) {
			s.SetDevice(d.ID, func(d *tailnettest.Device) { d.AdvertisedRoutes = []string{"192.168.1.0/24"} })
		}, devices.Expected{Name: "lab", Routes: []netip.Prefix{lan}}, devices.CodeRoutesPending, verify.SeverityFault, "192.168.1.0/24"},
		{"routes are not offered", tagged, nil, devices.Expected{Name: "lab", Routes: []netip.Prefix{lan}}, devices.CodeRoutesMissing, verify.SeverityFault, "does not offer"},
		{"a default route that nobody asked for", tagged, func(s *tailnettest.Server, d tailnettest.Device) {
			s.SetDevice(d.ID, func(d *tailnettest.Device) {
				d.AdvertisedRoutes, d.EnabledRoutes = []string{"0.0.0.0/0"}, []string{"0.0.0.0/0"}
			})
		}, devices.Expected{Name: "lab", Routes: []netip.Prefix{}}, devices.CodeRoutesUnexpected, verify.SeverityWarning, "0.0.0.0/0"},
		{"a route that is enabled and not offered", tagged, func(s *tailnettest.Server, d tailnettest.Device) {
			s.SetDevice(d.ID, func(d *tailnettest.Device) { d.EnabledRoutes = []string{"192.168.1.0/24"} })
		}, devices.Expected{Name: "lab", Routes: []netip.Prefix{}}, devices.CodeRoutesUnexpected, verify.SeverityWarning, "192.168.1.0/24"},
		{"routes as they should be", tagged, func(s *tailnettest.Server, d tailnettest.Device) {
			s.SetDevice(d.ID, func(d *tailnettest.Device) {
				d.AdvertisedRoutes, d.EnabledRoutes = []string{"192.168.1.0/24"}, []string{"192.168.1.0/24"}
			})
		}, devices.Expected{Name: "lab", Routes: []netip.Prefix{lan}}, "", "", ""},
		{"routes of which nothing is known", tagged, func(s *tailnettest.Server, d tailnettest.Device) {
			s.SetDevice(d.ID, func(d *tailnettest.Device) {
				d.AdvertisedRoutes, d.EnabledRoutes = []string{"192.168.1.0/24"}, []string{"192.168.1.0/24"}
			})
		}, devices.Expected{Name: "lab"}, "", "", ""},
		{"offline", tagged, func(s *tailnettest.Server, d tailnettest.Device) {
			s.SetDevice(d.ID, func(d *tailnettest.Device) { d.LastSeen = now.Add(-time.Hour) })
		}, devices.Expected{Name: "lab"}, devices.CodeOffline, verify.SeverityFault, "not connected"},
		{"a moment offline", tagged, func(s *tailnettest.Server, d tailnettest.Device) {
			s.SetDevice(d.ID, func(d *tailnettest.Device) { d.LastSeen = now.Add(-time.Minute) })
		}, devices.Expected{Name: "lab"}, "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			server := tailnettest.NewServer(t)

			minter := minterOf(t, server)

			device := join(t, server, minter, test.options, "Lab")
			if test.change != nil {
				test.change(server, device)
			}

			fetched, err := devices.Fetch(t.Context(), minter, "")
			require.NoError(t, err)
			require.Len(t, fetched.Devices, 1)

			findings := devices.Diagnose(fetched, []devices.Expected{test.expected}, now)
			if test.want == "" {
				assert.Empty(t, findings)

				return
			}

			require.Len(t, findings, 1)
			assert.Equal(t, test.want, findings[0].Code)
			assert.Equal(t, test.severity, findings[0].Severity)
			assert.Contains(t, findings[0].Cause, test.cause)
			assert.NotEmpty(t, findings[0].Next)
		})
	}
}

// A node that lost its state is there twice. One whose own name ends in a number is another node.
func TestDuplicate(t *testing.T) {
	t.Parallel()

	server := tailnettest.NewServer(t)

	minter := minterOf(t, server)
	options := mint.Options{Tags: []string{"tag:k8s"}}

	old := join(t, server, minter, options, "lab")
	server.SetDevice(old.ID, func(d *tailnettest.Device) { d.LastSeen = time.Now().Add(-time.Hour) })

	second := join(t, server, minter, options, "lab")
	require.Equal(t, "lab-1.tail1234.ts.net", second.Name)
	join(t, server, minter, options, "worker-1")
	join(t, server, minter, options, "worker")

	fetched, err := devices.Fetch(t.Context(), minter, "")
	require.NoError(t, err)

	findings := devices.Diagnose(fetched, []devices.Expected{{Name: "lab"}, {Name: "worker"}, {Name: "worker-1"}}, time.Now())
	require.Len(t, findings, 1)
	assert.Equal(t, devices.CodeDuplicate, findings[0].Code)
	assert.Equal(t, []string{"lab"}, findings[0].Subjects)
	assert.Contains(t, findings[0].Cause, "as lab-1.tail1234.ts.net (100.64.0.2) and lab.tail1234.ts.net (100.64.0.1), last seen ")

	// the node says which is its own
	findings = devices.Diagnose(fetched, []devices.Expected{{Name: "lab", Addresses: []netip.Addr{netip.MustParseAddr("100.64.0.1")}}}, time.Now())
	require.Len(t, findings, 2)
	assert.Equal(t, devices.CodeOffline, findings[1].Code)
}

// Keys of ours that can still be used are told, whether the server lists whole keys or their IDs only; others are not.
func TestUnusedKeys(t *testing.T) {
	t.Parallel()

	for _, whole := range []bool{false, true} {
		t.Run(fmt.Sprintf("whole keys %t", whole), func(t *testing.T) {
			t.Parallel()

			server := tailnettest.NewServer(t)

			if whole {
				server.ListWholeKeys()
			}

			minter := minterOf(t, server)
			join(t, server, minter, mint.Options{}, "lab")

			left, err := minter.Lease(t.Context(), mint.Options{})
			require.NoError(t, err)

			_, err = minter.Lease(t.Context(), mint.Options{Description: "somebody elses"})
			require.NoError(t, err)

			revoked, err := minter.Lease(t.Context(), mint.Options{})
			require.NoError(t, err)
			require.NoError(t, revoked.Release(t.Context()))

			fetched, err := devices.Fetch(t.Context(), minter, "")
			require.NoError(t, err)
			require.Len(t, fetched.UnusedKeys, 1)
			assert.Equal(t, left.ID(), fetched.UnusedKeys[0].ID)
			assert.WithinDuration(t, left.Expires(), fetched.UnusedKeys[0].Expires, time.Second)

			findings := devices.Diagnose(fetched, nil, time.Now())
			require.Len(t, findings, 1)
			assert.Equal(t, devices.CodeUnusedKeys, findings[0].Code)
			assert.Equal(t, verify.SeverityWarning, findings[0].Severity)
			assert.Contains(t, findings[0].Next[0], "key revoke "+left.ID())

			fetched, err = devices.Fetch(t.Context(), minter, "somebody elses")
			require.NoError(t, err)
			assert.Len(t, fetched.UnusedKeys, 1)
		})
	}
}

// A credential that may read devices and no keys still finds the devices; one that may read neither finds nothing.
func TestScopes(t *testing.T) {
	t.Parallel()

	server := tailnettest.NewServer(t)
	join(t, server, minterOf(t, server), mint.Options{}, "lab")

	for scope, reads := range map[string]bool{"devices:core:read": true, "auth_keys": false} {
		credential := server.AddOAuthClient(tailnettest.OAuthClient{Tags: []string{"tag:k8s"}, Scopes: []string{scope}})
		minter, err := mint.FromEnv(server.LookupEnv(credential))
		require.NoError(t, err)

		fetched, err := devices.Fetch(t.Context(), minter, "")
		if !reads {
			require.ErrorContains(t, err, "devices:core")

			continue
		}

		require.NoError(t, err)

		findings := devices.Diagnose(fetched, []devices.Expected{{Name: "lab"}}, time.Now())
		require.Len(t, findings, 1)
		assert.Equal(t, devices.CodeUnread, findings[0].Code)
		assert.Equal(t, verify.SeverityUnknown, findings[0].Severity)
		assert.NotContains(t, findings[0].Cause, credential.Secret)
	}
}

// A policy snippet is JSON as a policy file takes it, for subnets and for exit nodes.
func TestPolicySnippets(t *testing.T) {
	t.Parallel()

	fetched := &devices.Tailnet{Devices: []tailnet.Device{{
		Name: "lab.tail1234.ts.net", Authorized: true, Tags: []string{"tag:k8s"},
		AdvertisedRoutes: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("192.168.1.0/24"), netip.MustParsePrefix("::/0")},
	}}}

	findings := devices.Diagnose(fetched, []devices.Expected{{Name: "lab", Tags: []string{"tag:edge"}}}, time.Now())
	require.Len(t, findings, 2)

	snippets := map[string]string{
		`"tagOwners"`:     `{"tagOwners": {"tag:edge": ["autogroup:admin"]}}`,
		`"autoApprovers"`: `{"autoApprovers": {"routes": {"192.168.1.0/24": ["tag:k8s"]}, "exitNode": ["tag:k8s"]}}`,
		`"grants"`:        `{"grants": [{"src": ["autogroup:member"], "dst": ["autogroup:internet", "192.168.1.0/24"], "ip": ["*"]}]}`,
	}

	for _, finding := range findings {
		for _, next := range finding.Next {
			for name, want := range snippets {
				if at := strings.Index(next, name); at >= 0 {
					assert.JSONEq(t, want, "{"+next[at:]+"}")
					delete(snippets, name)
				}
			}
		}
	}

	assert.Empty(t, snippets)
}

// However many keys are left over, there is one finding with one command, and what the API says is not run by a shell.
func TestUnusedKeysAreOneFinding(t *testing.T) {
	t.Parallel()

	for command, keys := range map[string][]tailnet.Key{
		"key revoke k1 k2":            {{ID: "k1"}, {ID: "k2"}},
		"key revoke --unused --yes":   {{ID: "k1"}, {ID: "$(reboot)"}},
		"key revoke --unused --yes  ": {{ID: "1"}, {ID: "2"}, {ID: "3"}, {ID: "4"}, {ID: "5"}, {ID: "6"}, {ID: "7"}, {ID: "8"}, {ID: "9"}},
		"key revoke --unused --yes ":  {{ID: "--all"}},
	} {
		latest := time.Date(2026, time.November, 1, 12, 0, 0, 0, time.UTC)
		keys[0].Expires = latest

		findings := devices.Diagnose(&devices.Tailnet{UnusedKeys: keys}, nil, time.Now())
		require.Len(t, findings, 1)
		assert.Contains(t, findings[0].Cause, "until 2026-11-01T12:00:00Z", "the last of them")
		assert.Len(t, findings[0].Subjects, len(keys))
		assert.Equal(t, []string{"where no node waits for it: talos-tsbridge " + strings.TrimSpace(command)}, findings[0].Next)
	}
}

// The other registrations of a node are removed by commands, unless the API's ID of one would be more than a word to a shell.
func TestRemovalOfOthers(t *testing.T) {
	t.Parallel()

	for id, want := range map[string]string{"n1CNTRL": "talos-tsbridge device remove n1CNTRL", "$(reboot)": "(admin console, Machines)"} {
		findings := devices.Diagnose(&devices.Tailnet{Devices: []tailnet.Device{
			{ID: id, Name: "lab.tail1234.ts.net", Hostname: "lab", Authorized: true, LastSeen: time.Now().Add(-time.Minute)},
			{ID: "n2CNTRL", Name: "lab-1.tail1234.ts.net", Hostname: "lab", Authorized: true},
		}}, []devices.Expected{{Name: "lab"}}, time.Now())

		require.Len(t, findings, 1)
		assert.Equal(t, devices.CodeDuplicate, findings[0].Code)
		assert.Contains(t, findings[0].Next[0], want)
		assert.NotContains(t, findings[0].Next[0], "reboot")
	}
}
