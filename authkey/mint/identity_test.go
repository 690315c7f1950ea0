package mint_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

func TestIdentityTokenFileIsReadForEachExchange(t *testing.T) {
	server := tailnettest.NewServer(t)
	identity := server.AddWorkloadIdentity(tailnettest.OAuthClient{Tags: []string{"tag:k8s"}}, time.Hour)
	path := filepath.Join(t.TempDir(), "token")

	minter := newMinter(t, server, tailnet.CredentialNone)

	var err error

	minter.Client.Credential, err = tailnet.WorkloadIdentity(identity.ID, "file:"+path)
	require.NoError(t, err)

	_, err = minter.Lease(t.Context(), mint.Options{Tags: []string{"k8s"}})
	require.ErrorContains(t, err, "no such file")

	require.NoError(t, os.WriteFile(path, []byte(identity.Secret+"\n"), 0o600))

	_, err = minter.Lease(t.Context(), mint.Options{Tags: []string{"k8s"}})
	require.NoError(t, err)
}

func TestExpiredIdentityToken(t *testing.T) {
	server := tailnettest.NewServer(t)
	identity := server.AddWorkloadIdentity(tailnettest.OAuthClient{Tags: []string{"tag:k8s"}}, -time.Minute)
	minter := newMinter(t, server, tailnet.CredentialNone)

	var err error

	minter.Client.Credential, err = tailnet.WorkloadIdentity(identity.ID, identity.Secret)
	require.NoError(t, err)

	_, err = minter.Lease(t.Context(), mint.Options{Tags: []string{"k8s"}})
	require.ErrorContains(t, err, "POST /api/v2/oauth/token-exchange")
	require.ErrorContains(t, err, "by this machine's clock it expired at")

	// The server's clock decides: this machine's may be ahead.
	server.SetClockSkew(-time.Hour)

	_, err = minter.Lease(t.Context(), mint.Options{Tags: []string{"k8s"}})
	require.NoError(t, err)
}

func TestAccessTokenIsReplaced(t *testing.T) {
	t.Run("when it was revoked", func(t *testing.T) {
		server := tailnettest.NewServer(t)
		minter := newMinter(t, server, tailnet.CredentialOAuthClient)

		for range 2 {
			_, err := minter.Lease(t.Context(), mint.Options{Tags: []string{"k8s"}})
			require.NoError(t, err)

			server.DropAccessTokens()
		}

		require.Len(t, server.Requests(tailnettest.OAuthToken), 2)
		require.Len(t, server.LiveKeys(), 2)
	})

	t.Run("when it expires", func(t *testing.T) {
		server := tailnettest.NewServer(t)
		server.SetTokenLifetime(time.Second)

		minter := newMinter(t, server, tailnet.CredentialOAuthClient)

		_, err := minter.Lease(t.Context(), mint.Options{Tags: []string{"k8s"}})
		require.NoError(t, err)
		time.Sleep(920 * time.Millisecond)

		_, err = minter.Lease(t.Context(), mint.Options{Tags: []string{"k8s"}})
		require.NoError(t, err)
		require.Len(t, server.Requests(tailnettest.OAuthToken), 2)
		require.Len(t, server.Requests(tailnettest.CreateKey), 2, "the old token was not tried")
	})
}
