package mint_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

func TestRevokeFaults(t *testing.T) {
	for _, test := range []struct {
		name     string
		faults   []tailnettest.Fault
		attempts int
		want     string
	}{
		{"fails for a while", []tailnettest.Fault{{On: tailnettest.DeleteKey, Status: 503, Times: 2}}, 3, ""},
		{"rate limit", []tailnettest.Fault{tailnettest.RateLimit(tailnettest.DeleteKey, 2, "")}, 3, ""},
		{"answer lost", []tailnettest.Fault{{On: tailnettest.DeleteKey, Reset: true, Handled: true, Times: 1}}, 2, ""},
		{"404 after a rate limit only", []tailnettest.Fault{
			tailnettest.RateLimit(tailnettest.DeleteKey, 1, ""), {On: tailnettest.DeleteKey, Status: 404},
		}, 2, "status 404"},
		{"web page", []tailnettest.Fault{tailnettest.HTML(tailnettest.DeleteKey, 200)}, 1, "a web page and not the API's"},
		{"web page 404", []tailnettest.Fault{tailnettest.HTML(tailnettest.DeleteKey, 404)}, 1, "a web page and not the API's"},
		{"403", []tailnettest.Fault{{On: tailnettest.DeleteKey, Status: 403}}, 1, "DELETE /api/v2/tailnet/-/keys/k"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := tailnettest.NewServer(t)
			minter := newMinter(t, server, tailnet.CredentialOAuthClient)

			minted, err := minter.Lease(t.Context(), mint.Options{Tags: []string{"k8s"}})
			require.NoError(t, err)

			for _, fault := range test.faults {
				server.Fail(fault)
			}

			err = minter.Client.RevokeKey(t.Context(), minted.ID())
			if test.want == "" {
				require.NoError(t, err)
				require.Empty(t, server.LiveKeys())
			} else {
				require.ErrorContains(t, err, test.want)
			}

			require.Len(t, server.Requests(tailnettest.DeleteKey), test.attempts)
		})
	}
}

// A server that gives a wrong ID which nothing betrays: the lease is released all the same.
func TestReleaseOfAKeyWithAWrongID(t *testing.T) {
	server := tailnettest.NewServer(t)
	server.Fail(lie(`{"id":"7","key":"hskey-auth-EXAMPLE-EXAMPLE"}`))

	lease, err := newMinter(t, server, tailnet.CredentialAPIToken).Lease(t.Context(), mint.Options{})
	require.NoError(t, err)
	require.Len(t, server.LiveKeys(), 1)
	require.NoError(t, lease.Release(t.Context()))
	require.Empty(t, server.LiveKeys())
}

// handled is a fault after the request was carried out.
func handled(fault tailnettest.Fault) tailnettest.Fault {
	fault.Handled = true

	return fault
}

// lie is an answer to a creation that was carried out and says something else than what was made.
func lie(body string) tailnettest.Fault {
	return tailnettest.Fault{On: tailnettest.CreateKey, Handled: true, Status: http.StatusOK, Body: body}
}
