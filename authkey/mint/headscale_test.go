package mint_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

// Headscale's API keys belong to no user: a key needs tags, and the error says so.
func TestHeadscale(t *testing.T) {
	server := tailnettest.NewServer(t)
	server.BehaveAsHeadscale()

	minter := newMinter(t, server, tailnet.CredentialAPIToken)

	_, err := minter.Lease(t.Context(), mint.Options{})
	require.True(t, tailnet.Is(err, tailnet.ReasonTagsRefused), err)
	require.ErrorContains(t, err, "the key has no tags")

	lease, err := minter.Lease(t.Context(), mint.Options{Tags: []string{"k8s"}})
	require.NoError(t, err)
	require.Equal(t, authkey.KindPreAuth, lease.Key().Kind())

	unused, err := minter.UnusedKeys(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, unused, 1)
	require.NoError(t, lease.Release(t.Context()))
	require.Empty(t, server.LiveKeys())

	unused, err = minter.UnusedKeys(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, unused, "Headscale lists a key that was revoked")
}

// What an OAuth client of Headscale may not give a key is told as that.
func TestHeadscaleTags(t *testing.T) {
	server := tailnettest.NewServer(t)
	server.BehaveAsHeadscale()
	server.SetTagOwners(map[string][]string{"tag:k8s": nil, "tag:node": {"tag:k8s"}, "tag:other": nil})

	client := tailnettest.OAuthClient{Tags: []string{"tag:k8s", "tag:more"}}
	minter := newMinter(t, server, tailnet.CredentialNone)
	minter.Client.Credential = credential(t, server, tailnet.CredentialOAuthClient, client)

	for _, tag := range []string{"k8s", "node"} {
		_, err := minter.Lease(t.Context(), mint.Options{Tags: []string{tag}})
		require.NoError(t, err)
	}

	for _, tag := range []string{"other", "nowhere"} {
		_, err := minter.Lease(t.Context(), mint.Options{Tags: []string{tag}})
		require.True(t, tailnet.Is(err, tailnet.ReasonTagsRefused), err)
	}
}
