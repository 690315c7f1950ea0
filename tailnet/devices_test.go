package tailnet_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

// registerDevices puts devices into the tailnet of the server: names and their tags.
func registerDevices(t testing.TB, server *tailnettest.Server, devices ...[]string) {
	t.Helper()

	for _, device := range devices {
		register(t, server, device[0], mint.Options{Tags: device[1:]})
	}
}

func register(t testing.TB, server *tailnettest.Server, name string, options mint.Options) {
	t.Helper()

	lease, err := (&mint.Minter{Client: newClient(t, server, server.AddAPIToken())}).Lease(t.Context(), options)
	require.NoError(t, err)

	_, err = server.Register(lease.Key().Reveal(), name)
	require.NoError(t, err)
}

func newClient(t testing.TB, server *tailnettest.Server, credential tailnettest.Credential) *tailnet.Client {
	t.Helper()

	client, err := tailnet.FromEnv(server.LookupEnv(credential))
	require.NoError(t, err)

	client.Timeout, client.RetryDelay = time.Minute, 2*time.Millisecond

	return client
}

func TestDevicesTagged(t *testing.T) {
	t.Parallel()

	server := tailnettest.NewServer(t)
	registerDevices(t, server, []string{"Vault", "tag:vault", "tag:prod"}, []string{"db", "tag:db", "tag:prod"}, []string{"other", "tag:other"})

	client := newClient(t, server, server.AddAPIToken())

	vault := tailnet.Device{
		Name: "vault.tail1234.ts.net", Hostname: "Vault", Authorized: true, Tags: []string{"tag:vault", "tag:prod"},
		Addresses: []netip.Addr{netip.MustParseAddr("100.64.0.1"), netip.MustParseAddr("fd7a:115c:a1e0::1")},
	}
	require.Equal(t, "vault", vault.ShortName())
	require.Empty(t, tailnet.Device{Name: "vault.tail9876.ts.net", Shared: true}.ShortName())

	found, err := client.DevicesTagged(t.Context(), "vault")
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.NotEmpty(t, found[0].ID)
	require.NotEmpty(t, found[0].Created)

	vault.ID, vault.Created = found[0].ID, found[0].Created
	require.Equal(t, []tailnet.Device{vault}, found)

	found, err = client.DevicesTagged(t.Context(), "tag:prod,vault")
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.Equal(t, "db.tail1234.ts.net", found[0].Name, "sorted, each once")
	require.Equal(t, vault, found[1])
	require.Len(t, server.Requests(tailnettest.ListDevices), 2, "one request each")

	_, err = client.DevicesTagged(t.Context(), "vault", "valt")
	require.EqualError(t, err, "looking up devices: none in the tailnet has tag:valt: check the tag in the admin console (Machines)")
}

// A device that waits for approval answers nobody.
func TestDevicesTaggedLeavesOutWhatWaits(t *testing.T) {
	t.Parallel()

	server := tailnettest.NewServer(t)

	register(t, server, "vault", mint.Options{Tags: []string{"vault"}, RequireApproval: true})

	_, err := newClient(t, server, server.AddAPIToken()).DevicesTagged(t.Context(), "vault")
	require.ErrorContains(t, err, "none in the tailnet has tag:vault")
}

// Failures are told as those of minting are, and a list is tried again after any that may pass.
func TestDevicesTaggedFaults(t *testing.T) {
	t.Parallel()

	list := tailnettest.ListDevices

	for name, test := range map[string]struct {
		fault    tailnettest.Fault
		attempts int
		want     string
	}{
		"passes":           {tailnettest.Fault{On: list, Times: 2, Status: http.StatusInternalServerError}, 3, ""},
		"broken once":      {tailnettest.Fault{On: list, Times: 1, Truncate: true}, 2, ""},
		"rate limit":       {tailnettest.Fault{On: list, Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"60"}}}, 1, "rate limit is reached: try again later; the server asks to wait 1m0s"},
		"token is revoked": {tailnettest.Fault{On: list, Status: http.StatusUnauthorized}, 1, "the API access token is wrong, expired or revoked"},
		"no such tailnet":  {tailnettest.Fault{On: list, Status: http.StatusNotFound}, 1, "no such tailnet, or a server that does not list its devices"},
		"repeats secrets":  {tailnettest.Fault{On: list, Status: http.StatusBadRequest, Echo: true}, 1, "GET /api/v2/tailnet/-/devices"},
		"another answer":   {tailnettest.Fault{On: list, Status: http.StatusOK, Body: `["devices"]`}, 1, "GET /api/v2/tailnet/-/devices (" + "127.0.0.1"},
		"a web page":       {tailnettest.Fault{On: list, Status: http.StatusOK, Body: "<html>"}, 1, "the answer is a web page and not the API's"},
		"strange address":  {tailnettest.Fault{On: list, Status: http.StatusOK, Body: `{"devices":[{"name":"a.b","authorized":true,"tags":["tag:vault"],"addresses":["x"]}]}`}, 1, `the address "x" of device "a.b" cannot be read`},
		"no address":       {tailnettest.Fault{On: list, Status: http.StatusOK, Body: `{"devices":[{"nodeId":"n1","name":"a.b","authorized":true,"tags":["tag:vault"]}]}`}, 1, `device "n1" has no name or no address`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			server := tailnettest.NewServer(t)
			registerDevices(t, server, []string{"vault", "tag:vault"})
			client := newClient(t, server, server.AddAPIToken())
			server.Fail(test.fault)

			found, err := client.DevicesTagged(t.Context(), "vault")
			require.Len(t, server.Requests(list), test.attempts)

			if test.want == "" {
				require.NoError(t, err)
				require.Len(t, found, 1)

				return
			}

			require.ErrorContains(t, err, test.want)
			server.RequireNoSecret(t, err.Error())
		})
	}
}

func TestDevicesTaggedRefuses(t *testing.T) {
	t.Parallel()

	server := tailnettest.NewServer(t)

	_, err := newClient(t, server, server.AddAPIToken()).DevicesTagged(t.Context(), "no_good")
	require.ErrorContains(t, err, `"no_good" is not a tag`)
	require.Empty(t, server.Requests())

	_, err = (&tailnet.Client{}).DevicesTagged(t.Context(), "vault")
	require.ErrorIs(t, err, tailnet.ErrNoCredentials)

	// made for keys alone
	client := newClient(t, server, server.AddOAuthClient(tailnettest.OAuthClient{Tags: []string{"tag:k8s"}}))

	_, err = client.DevicesTagged(t.Context(), "vault")
	require.ErrorContains(t, err, "the OAuth client lacks a scope: it needs devices:core, readable")
	server.RequireNoSecret(t, err.Error()+fmt.Sprintf("%v %+v %#v", client, client, client))
}
