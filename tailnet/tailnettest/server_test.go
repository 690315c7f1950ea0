package tailnettest_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"tailscale.com/client/tailscale/v2"

	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

// official returns the official client as its documentation has it: nothing of ours in between.
func official(t *testing.T, server *tailnettest.Server, client *tailscale.Client) *tailscale.Client {
	base, err := url.Parse(server.URL)
	require.NoError(t, err)

	client.BaseURL = base

	return client
}

func request(tags ...string) tailscale.CreateKeyRequest {
	var r tailscale.CreateKeyRequest

	r.Capabilities.Devices.Create.Tags = tags
	r.Capabilities.Devices.Create.Preauthorized = true
	r.ExpirySeconds = 600
	r.Description = "made by the official client"

	return r
}

func TestOfficialClient(t *testing.T) {
	for name, client := range map[string]func(*tailnettest.Server) *tailscale.Client{
		"API access token": func(s *tailnettest.Server) *tailscale.Client {
			return &tailscale.Client{APIKey: s.AddAPIToken().Secret}
		},
		"OAuth client": func(s *tailnettest.Server) *tailscale.Client {
			credential := s.AddOAuthClient(tailnettest.OAuthClient{Tags: []string{"tag:k8s"}, Scopes: []string{"auth_keys", "devices:core"}})

			return &tailscale.Client{Auth: &tailscale.OAuth{ClientID: credential.ID, ClientSecret: credential.Secret}}
		},
		"workload identity": func(s *tailnettest.Server) *tailscale.Client {
			credential := s.AddWorkloadIdentity(tailnettest.OAuthClient{Tags: []string{"tag:k8s"}, Scopes: []string{"all"}}, time.Hour)

			return &tailscale.Client{Auth: &tailscale.IdentityFederation{
				ClientID: credential.ID, IDTokenFunc: func() (string, error) { return credential.Secret, nil },
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := tailnettest.NewServer(t)
			client := official(t, server, client(server))
			ctx := t.Context()

			made, err := client.Keys().CreateAuthKey(ctx, request("tag:k8s"))
			require.NoError(t, err)
			require.Equal(t, server.Keys()[0].Secret, made.Key)
			require.Equal(t, "auth", made.KeyType)
			require.Equal(t, "made by the official client", made.Description)
			require.Equal(t, []string{"tag:k8s"}, made.Capabilities.Devices.Create.Tags)
			require.True(t, made.Capabilities.Devices.Create.Preauthorized)
			require.Equal(t, 10*time.Minute, made.Expires.Sub(made.Created))

			list, err := client.Keys().List(ctx, true)
			require.NoError(t, err)
			require.Contains(t, list, tailscale.Key{ID: made.ID}, "a list holds IDs and nothing else")

			server.ListWholeKeys()

			list, err = client.Keys().List(ctx, false)
			require.NoError(t, err)
			require.Equal(t, made.Description, list[len(list)-1].Description)

			got, err := client.Keys().Get(ctx, made.ID)
			require.NoError(t, err)
			require.Empty(t, got.Key, "the key is shown once")
			require.False(t, got.Invalid)

			device, err := server.Register(made.Key, "node")
			require.NoError(t, err)

			got, err = client.Keys().Get(ctx, made.ID)
			require.NoError(t, err)
			require.True(t, got.Invalid, "a single-use key is used up")

			devices, err := client.Devices().List(ctx)
			require.NoError(t, err)
			require.Len(t, devices, 1)
			require.Equal(t, device.ID, devices[0].NodeID)
			require.Equal(t, []string{"tag:k8s"}, devices[0].Tags)
			require.True(t, devices[0].Authorized)

			one, err := client.Devices().Get(ctx, device.ID)
			require.NoError(t, err)
			require.Equal(t, "node", one.Hostname)
			require.NoError(t, client.Devices().Delete(ctx, device.ID))
			require.True(t, tailscale.IsNotFound(client.Devices().Delete(ctx, device.ID)))

			require.NoError(t, client.Keys().Delete(ctx, made.ID))
			require.True(t, tailscale.IsNotFound(client.Keys().Delete(ctx, made.ID)))

			_, err = client.Keys().Get(ctx, made.ID)
			require.True(t, tailscale.IsNotFound(err))
		})
	}
}

func TestTags(t *testing.T) {
	server := tailnettest.NewServer(t)
	server.SetTagOwners(map[string][]string{"tag:owned": {"tag:b"}, "tag:a": nil, "tag:b": nil})

	credential := server.AddOAuthClient(tailnettest.OAuthClient{Tags: []string{"tag:a", "tag:b"}})
	oauth := official(t, server, &tailscale.Client{Auth: &tailscale.OAuth{ClientID: credential.ID, ClientSecret: credential.Secret}})
	token := official(t, server, &tailscale.Client{APIKey: server.AddAPIToken().Secret})

	for _, test := range []struct {
		client *tailscale.Client
		tags   []string
		want   string
	}{
		{oauth, []string{"tag:b", "tag:a"}, ""},
		{oauth, []string{"tag:owned"}, ""},
		{oauth, []string{"tag:a"}, "requested tags [tag:a] are invalid or not permitted (400)"},
		{oauth, []string{"tag:a", "tag:b", "tag:owned"}, "requested tags [tag:a tag:b tag:owned] are invalid or not permitted (400)"},
		{oauth, nil, "tailnet-owned auth key must have tags set (400)"},
		{token, nil, ""},
		{token, []string{"tag:owned", "tag:a"}, ""},
		{token, []string{"tag:unknown"}, "requested tags [tag:unknown] are invalid or not permitted (400)"},
		{token, []string{"no-prefix"}, "requested tags [no-prefix] are invalid or not permitted (400)"},
	} {
		_, err := test.client.Keys().CreateAuthKey(t.Context(), request(test.tags...))
		if test.want == "" {
			require.NoError(t, err, test.tags)
		} else {
			require.EqualError(t, err, test.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	server := tailnettest.NewServer(t)
	client := official(t, server, &tailscale.Client{APIKey: server.AddAPIToken().Secret})

	long, underscore, forever := request(), request(), request()
	long.Description = "more than fifty characters are more than it can bear"
	underscore.Description = "under_score"
	forever.ExpirySeconds = 91 * 24 * 60 * 60

	for _, r := range []tailscale.CreateKeyRequest{long, underscore, forever} {
		_, err := client.Keys().CreateAuthKey(t.Context(), r)
		require.ErrorContains(t, err, "(400)")
	}

	reader := official(t, server, &tailscale.Client{})
	credential := server.AddOAuthClient(tailnettest.OAuthClient{Tags: []string{"tag:a"}, Scopes: []string{"auth_keys:read"}})
	reader.Auth = &tailscale.OAuth{ClientID: credential.ID, ClientSecret: credential.Secret}

	_, err := reader.Keys().List(t.Context(), true)
	require.NoError(t, err)
	_, err = reader.Keys().CreateAuthKey(t.Context(), request("tag:a"))
	require.EqualError(t, err, "calling actor does not have enough permissions to perform this function (403)")

	_, err = official(t, server, &tailscale.Client{APIKey: "tskey-api-wrong"}).Keys().List(t.Context(), true)
	require.EqualError(t, err, "API token invalid (401)")

	elsewhere := official(t, server, &tailscale.Client{APIKey: server.AddAPIToken().Secret, Tailnet: "other.org"})
	_, err = elsewhere.Keys().List(t.Context(), true)
	require.True(t, tailscale.IsNotFound(err))

	server.RemoveCredential(credential.ID)
	_, err = reader.Keys().List(t.Context(), true)
	require.EqualError(t, err, "API token invalid (401)")
	require.Empty(t, server.Keys())
}

func TestExpiryAndUse(t *testing.T) {
	server := tailnettest.NewServer(t)
	client := official(t, server, &tailscale.Client{APIKey: server.AddAPIToken().Secret})

	r := request()
	r.Capabilities.Devices.Create.Reusable = true
	r.Capabilities.Devices.Create.Preauthorized = false
	r.ExpirySeconds = 0

	made, err := client.Keys().CreateAuthKey(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, 90*24*time.Hour, made.Expires.Sub(made.Created))

	first, err := server.Register(made.Key, "Node")
	require.NoError(t, err)
	require.False(t, first.Authorized)

	second, err := server.Register(made.Key, "Node")
	require.NoError(t, err)
	require.NotEqual(t, first.Name, second.Name)
	require.Equal(t, 2, server.Keys()[0].Uses)
	require.Len(t, server.LiveKeys(), 1)

	server.SetClockSkew(91 * 24 * time.Hour)
	require.Empty(t, server.LiveKeys())

	_, err = server.Register(made.Key, "late")
	require.ErrorIs(t, err, tailnettest.ErrKeyInvalid)
}

func TestFaultsAreCounted(t *testing.T) {
	server := tailnettest.NewServer(t)
	server.Fail(tailnettest.Fault{On: tailnettest.ListKeys, Skip: 1, Times: 2, Status: 503})
	server.Fail(tailnettest.RateLimit(tailnettest.CreateKey, 1, "7"))

	client := official(t, server, &tailscale.Client{APIKey: server.AddAPIToken().Secret})

	var failed []bool

	for range 4 {
		_, err := client.Keys().List(t.Context(), true)
		failed = append(failed, err != nil)
	}

	require.Equal(t, []bool{false, true, true, false}, failed)

	_, err := client.Keys().CreateAuthKey(t.Context(), request())
	require.EqualError(t, err, "too many requests (429)")

	statuses := []int{}
	for _, r := range server.Requests() {
		statuses = append(statuses, r.Status)
	}

	require.Equal(t, []int{200, 503, 503, 200, 429}, statuses)
	require.Equal(t, "all=true", server.Requests(tailnettest.ListKeys)[0].Query)

	server.Fail(tailnettest.Fault{Status: 500})
	server.ClearFaults()

	_, err = client.Keys().List(t.Context(), true)
	require.NoError(t, err)
}

func TestCloseEndsDelays(t *testing.T) {
	server := tailnettest.NewTLSServer(t)
	server.Fail(tailnettest.Fault{Delay: time.Hour})

	answered := make(chan struct{})

	go func() {
		defer close(answered)

		if res, err := server.Client().Get(server.URL); err == nil {
			_ = res.Body.Close()
		}
	}()

	time.Sleep(50 * time.Millisecond)
	server.Close()

	select {
	case <-answered:
	case <-time.After(time.Minute):
		t.Fatal("the request is still waiting")
	}
}

func TestUnknownPath(t *testing.T) {
	server := tailnettest.NewServer(t)

	res, err := http.Get(server.URL + "/login")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusNotFound, res.StatusCode)
	require.Len(t, server.Requests(tailnettest.Unknown), 1)
}
