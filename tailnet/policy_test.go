package tailnet_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

func TestPolicy(t *testing.T) {
	t.Parallel()

	server := tailnettest.NewServer(t)
	client := newClient(t, server, server.AddAPIToken())

	_, err := client.Policy(t.Context())
	require.True(t, tailnet.Is(err, tailnet.ReasonNotSupported), err)

	server.SetTagOwners(map[string][]string{"tag:k8s": {"autogroup:admin"}, "tag:edge": {}})

	policy, err := client.Policy(t.Context())
	require.NoError(t, err)
	require.Empty(t, policy.Undefined("tag:k8s", "tag:edge"))
	require.Equal(t, []string{"tag:k8", "tag:other"}, policy.Undefined("tag:k8", "tag:k8s", "tag:other"))

	server.BehaveAsHeadscale()

	policy, err = client.Policy(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"tag:other"}, policy.Undefined("tag:edge", "tag:other"))

	server.Fail(tailnettest.Fault{On: tailnettest.GetPolicy, Times: 1, Status: http.StatusOK, Body: `["CANARY"]`})

	_, err = client.Policy(t.Context())
	require.ErrorContains(t, err, "no policy")
	require.NotContains(t, err.Error(), "CANARY")

	reader := newClient(t, server, server.AddOAuthClient(tailnettest.OAuthClient{Tags: []string{"tag:k8s"}, Scopes: []string{"policy_file:read"}}))
	_, err = reader.Policy(t.Context())
	require.NoError(t, err)

	_, err = newClient(t, server, server.AddOAuthClient(tailnettest.OAuthClient{Tags: []string{"tag:k8s"}})).Policy(t.Context())
	require.True(t, tailnet.Is(err, tailnet.ReasonScopeMissing), err)
	require.ErrorContains(t, err, "policy_file")
}
