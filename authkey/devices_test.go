package authkey_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/authkey/authkeytest"
)

// registerDevices puts devices into the tailnet of the server: names and their tags.
func registerDevices(t testing.TB, server *authkeytest.Server, devices ...[]string) {
	t.Helper()

	minter := newMinter(t, server, authkey.CredentialAPIToken)

	for _, device := range devices {
		minted, err := minter.Mint(t.Context(), authkey.Options{Tags: device[1:]})
		require.NoError(t, err)

		_, err = server.Register(minted.Key.Reveal(), device[0])
		require.NoError(t, err)
	}
}

func newDevices(t testing.TB, server *authkeytest.Server) *authkey.Devices {
	t.Helper()

	devices, err := authkey.DevicesFromEnv(lookupIn(map[string]string{authkey.EnvAPIKey: server.AddAPIToken(), authkey.EnvBaseURL: server.URL}))
	require.NoError(t, err)

	devices.Timeout, devices.RetryDelay = 3*time.Second, 2*time.Millisecond

	return devices
}

func lookupIn(environment map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := environment[name]

		return value, ok
	}
}

func TestDevicesTagged(t *testing.T) {
	t.Parallel()

	server := newServer(t)
	registerDevices(t, server, []string{"Vault", "tag:vault", "tag:prod"}, []string{"db", "tag:db", "tag:prod"}, []string{"other", "tag:other"})

	devices := newDevices(t, server)

	vault := authkey.Device{
		Name: "vault.tail1234.ts.net", Tags: []string{"tag:vault", "tag:prod"},
		Addresses: []netip.Addr{netip.MustParseAddr("100.64.0.1"), netip.MustParseAddr("fd7a:115c:a1e0::1")},
	}
	require.Equal(t, "vault", vault.ShortName())
	require.Empty(t, authkey.Device{Name: "vault.tail9876.ts.net", Shared: true}.ShortName())

	found, err := devices.Tagged(t.Context(), "vault")
	require.NoError(t, err)
	require.Equal(t, []authkey.Device{vault}, found)

	found, err = devices.Tagged(t.Context(), "tag:prod,vault")
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.Equal(t, "db.tail1234.ts.net", found[0].Name, "sorted, each once")
	require.Equal(t, vault, found[1])
	require.Len(t, server.Requests(authkeytest.ListDevices), 2, "one request each")

	_, err = devices.Tagged(t.Context(), "vault", "valt")
	require.EqualError(t, err, "looking up devices: none in the tailnet has tag:valt: check the tag in the admin console (Machines)")
}

// A device that waits for approval answers nobody.
func TestDevicesTaggedLeavesOutWhatWaits(t *testing.T) {
	t.Parallel()

	server := newServer(t)

	minted, err := newMinter(t, server, authkey.CredentialAPIToken).Mint(t.Context(), authkey.Options{Tags: []string{"vault"}, NotPreauthorized: true})
	require.NoError(t, err)
	_, err = server.Register(minted.Key.Reveal(), "vault")
	require.NoError(t, err)

	_, err = newDevices(t, server).Tagged(t.Context(), "vault")
	require.ErrorContains(t, err, "none in the tailnet has tag:vault")
}

// Failures are told as those of minting are, and a list is tried again after any that may pass.
func TestDevicesTaggedFaults(t *testing.T) {
	t.Parallel()

	list := authkeytest.ListDevices

	for name, test := range map[string]struct {
		fault    authkeytest.Fault
		attempts int
		want     string
	}{
		"passes":           {authkeytest.Fault{On: list, Times: 2, Status: http.StatusInternalServerError}, 3, ""},
		"broken once":      {authkeytest.Fault{On: list, Times: 1, Truncate: true}, 2, ""},
		"rate limit":       {authkeytest.Fault{On: list, Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"60"}}}, 1, "rate limit is reached: try again later; the server asks to wait 1m0s"},
		"token is revoked": {authkeytest.Fault{On: list, Status: http.StatusUnauthorized}, 1, "the API access token is wrong, expired or revoked"},
		"no such tailnet":  {authkeytest.Fault{On: list, Status: http.StatusNotFound}, 1, "no such tailnet, or a server that does not list its devices, which Headscale does not"},
		"repeats secrets":  {authkeytest.Fault{On: list, Status: http.StatusBadRequest, Echo: true}, 1, "GET /api/v2/tailnet/-/devices"},
		"another answer":   {authkeytest.Fault{On: list, Status: http.StatusOK, Body: `["devices"]`}, 1, "GET /api/v2/tailnet/-/devices (" + "127.0.0.1"},
		"a web page":       {authkeytest.Fault{On: list, Status: http.StatusOK, Body: "<html>"}, 1, "the answer is a web page and not the API's"},
		"strange address":  {authkeytest.Fault{On: list, Status: http.StatusOK, Body: `{"devices":[{"name":"a.b","authorized":true,"tags":["tag:vault"],"addresses":["x"]}]}`}, 1, `device "a.b" has the address "x", which is none`},
		"no address":       {authkeytest.Fault{On: list, Status: http.StatusOK, Body: `{"devices":[{"nodeId":"n1","name":"a.b","authorized":true,"tags":["tag:vault"]}]}`}, 1, `device "n1" has no name or no address`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			server := newServer(t)
			registerDevices(t, server, []string{"vault", "tag:vault"})
			devices := newDevices(t, server)
			server.Fail(test.fault)

			found, err := devices.Tagged(t.Context(), "vault")
			require.Len(t, server.Requests(list), test.attempts)

			if test.want == "" {
				require.NoError(t, err)
				require.Len(t, found, 1)

				return
			}

			require.ErrorContains(t, err, test.want)
			requireNoSecret(t, err.Error(), server.Secrets())
		})
	}
}

func TestDevicesTaggedRefuses(t *testing.T) {
	t.Parallel()

	server := newServer(t)

	_, err := newDevices(t, server).Tagged(t.Context(), "no_good")
	require.ErrorContains(t, err, `"no_good" is not a tag`)
	require.Empty(t, server.Requests())

	_, err = authkey.DevicesFromEnv(lookupIn(nil))
	require.ErrorIs(t, err, authkey.ErrNoCredentials)

	_, err = (&authkey.Devices{}).Tagged(t.Context(), "vault")
	require.ErrorIs(t, err, authkey.ErrNoCredentials)

	// made for keys alone
	id, secret := server.AddOAuthClient(authkeytest.OAuthClient{Tags: []string{"tag:k8s"}})
	devices, err := authkey.DevicesFromEnv(lookupIn(map[string]string{authkey.EnvClientID: id, authkey.EnvClientSecret: secret, authkey.EnvBaseURL: server.URL}))
	require.NoError(t, err)

	_, err = devices.Tagged(t.Context(), "vault")
	require.ErrorContains(t, err, "the OAuth client lacks a scope: it needs devices:core, readable")
	requireNoSecret(t, err.Error()+fmt.Sprintf("%v %+v %#v", devices, devices, devices), server.Secrets())
}
