package mint_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

func lease(t *testing.T, server *tailnettest.Server) *mint.Lease {
	t.Helper()

	made, err := newMinter(t, server, tailnet.CredentialAPIToken).Lease(t.Context(), mint.Options{})
	require.NoError(t, err)

	return made
}

func TestLeaseIsReleasedUnlessItIsKept(t *testing.T) {
	t.Parallel()

	server := tailnettest.NewServer(t)

	kept, released := lease(t, server), lease(t, server)
	require.Len(t, server.LiveKeys(), 2)

	kept.Keep()
	require.NoError(t, kept.Release(t.Context()))
	require.True(t, kept.Kept())

	// the run was interrupted, which is why the key was not delivered
	ended, cancel := context.WithCancel(t.Context())
	cancel()

	require.False(t, released.Kept())
	require.NoError(t, released.Release(ended))
	require.NoError(t, released.Release(ended), "again")
	require.Len(t, server.Requests(tailnettest.DeleteKey), 1)

	require.Len(t, server.LiveKeys(), 1)
	require.Equal(t, kept.ID(), server.LiveKeys()[0].ID)

	var none *mint.Lease

	require.NoError(t, none.Release(t.Context()))
}

// A key that was revoked by somebody else, or used by a node and deleted, is no orphan.
func TestReleaseOfAKeyThatIsGone(t *testing.T) {
	t.Parallel()

	server := tailnettest.NewServer(t)
	made := lease(t, server)

	client := newMinter(t, server, tailnet.CredentialAPIToken).Client
	require.NoError(t, client.RevokeKey(t.Context(), made.ID()))
	require.NoError(t, made.Release(t.Context()))
}

func TestReleaseNamesWhatItCannotTakeBack(t *testing.T) {
	t.Parallel()

	server := tailnettest.NewServer(t)
	made := lease(t, server)

	server.Fail(tailnettest.Fault{On: tailnettest.DeleteKey, Status: 403, Echo: true})

	err := made.Release(t.Context())

	var orphan *mint.OrphanError

	require.ErrorAs(t, err, &orphan)
	require.Equal(t, made.ID(), orphan.Key.ID)
	require.True(t, tailnet.Is(err, tailnet.ReasonScopeMissing))
	server.RequireNoSecret(t, fmt.Sprintf("%v %+v %#v %+v", err, err, err, made))

	server.ClearFaults()
	require.NoError(t, made.Release(t.Context()), "it may be tried again")
	require.Empty(t, server.LiveKeys())
}

// Many leases are released in the time of one.
func TestReleaseAll(t *testing.T) {
	t.Parallel()

	server := tailnettest.NewServer(t)

	var leases []*mint.Lease
	for range 10 {
		leases = append(leases, lease(t, server))
	}

	leases[3].Keep()

	leases = append(leases, nil)

	const latency = 2 * time.Second

	server.SetLatency(latency)
	require.Empty(t, mint.ReleaseAll(t.Context(), leases...))
	require.Len(t, server.LiveKeys(), 1)

	revocations := server.Requests(tailnettest.DeleteKey)
	require.Len(t, revocations, 9)

	for _, revocation := range revocations {
		require.WithinDuration(t, revocations[0].At, revocation.At, latency, "it came before the first one was answered")
	}
}
