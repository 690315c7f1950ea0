package mint_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

// printed is everything that a program may do to a value on its way into a log. The last way is testify's, whose printer
// follows pointers and reads unexported fields.
func printed(t *testing.T, value any) string {
	var out bytes.Buffer

	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", value)
		fmt.Fprintf(&out, verb+"\n", struct{ inside, Inside any }{value, value})
	}

	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "value", value)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "value", value)

	if text, err := json.Marshal(value); err == nil {
		out.Write(text)
	}

	if _, isClient := value.(*tailnet.Client); !isClient { // it has functions, which YAML does not
		text, err := yaml.Marshal(value)
		require.NoError(t, err)
		out.Write(text)
	}

	var failed recorder

	assert.Equal(&failed, value, "something else")
	out.WriteString(failed.text)

	return out.String()
}

func TestNothingPrintsASecret(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.String(), func(t *testing.T) {
			server := tailnettest.NewServer(t)
			minter := newMinter(t, server, kind)

			minted, err := minter.Lease(t.Context(), mint.Options{Tags: []string{"k8s"}})
			require.NoError(t, err)

			secrets := append(server.Secrets(), minted.Key().Reveal())
			require.GreaterOrEqual(t, len(secrets), 2)

			server.RequireNoSecret(t, printed(t, minted))

			for _, value := range []any{minter.Client, minter.Client.Credential, minted.Key(), []any{minted.Key(), minter.Client.Credential}} {
				text := printed(t, value)
				require.Contains(t, text, authkey.Redacted)
				server.RequireNoSecret(t, text)
			}
		})
	}
}

// TestNoErrorRepeatsASecret has the worst server that there can be: whatever it is asked, its error repeats the request,
// with the credentials.
func TestNoErrorRepeatsASecret(t *testing.T) {
	t.Parallel()

	everywhere := []tailnettest.Endpoint{
		tailnettest.OAuthToken, tailnettest.TokenExchange, tailnettest.CreateKey, tailnettest.ListKeys, tailnettest.GetKey,
		tailnettest.DeleteKey,
	}
	others := map[tailnettest.Endpoint]tailnet.CredentialKind{
		tailnettest.OAuthToken: tailnet.CredentialOAuthClient, tailnettest.TokenExchange: tailnet.CredentialWorkloadIdentity,
	}

	for _, kind := range kinds {
		for _, endpoint := range everywhere {
			if only, ok := others[endpoint]; ok && only != kind {
				continue
			}

			for _, status := range []int{200, 400, 401, 403, 500} {
				t.Run(fmt.Sprintf("%s, %s, %d", kind, endpoint, status), func(t *testing.T) {
					t.Parallel()

					server := tailnettest.NewServer(t)
					minter := newMinter(t, server, kind)

					if status == 500 {
						minter.Client.Timeout = 150 * time.Millisecond
					}

					var log bytes.Buffer

					minter.Client.OnRetry = func(err error, _ time.Duration) { fmt.Fprintf(&log, "%v %+v %#v\n", err, err, err) }

					if endpoint != tailnettest.CreateKey {
						// The other endpoints are asked only when a creation got no clear answer.
						server.Fail(tailnettest.Fault{On: tailnettest.CreateKey, Status: 500, Handled: true})
					}

					server.Fail(tailnettest.Fault{On: endpoint, Status: status, Echo: true})

					_, err := minter.Lease(t.Context(), mint.Options{Tags: []string{"k8s"}})
					require.Error(t, err)

					if status == 400 && endpoint != tailnettest.ListKeys {
						require.ErrorContains(t, err, "cannot handle", "the server's message gets that far")
						require.ErrorContains(t, err, authkey.Redacted)
					}

					revoked := minter.Client.RevokeKey(t.Context(), "kSOMECNTRL")

					for _, err := range []error{err, revoked} {
						if err != nil {
							server.RequireNoSecret(t, printed(t, err)+err.Error())
						}
					}

					server.RequireNoSecret(t, log.String())
				})
			}
		}
	}
}

// TestNoErrorRepeatsASecretWithoutAForm is the same with secrets that nothing but the request itself tells to be some.
func TestNoErrorRepeatsASecretWithoutAForm(t *testing.T) {
	const opaque = "CANARY0123456789abcdef"

	for name, credential := range map[string]func() (tailnet.Credential, error){
		"API access token": func() (tailnet.Credential, error) { return tailnet.APIToken(opaque) },
		"OAuth client":     func() (tailnet.Credential, error) { return tailnet.OAuthClient("kCLIENT", opaque) },
	} {
		t.Run(name, func(t *testing.T) {
			server := tailnettest.NewServer(t)
			server.Fail(tailnettest.Fault{Status: 400, Echo: true})

			minter := newMinter(t, server, tailnet.CredentialNone)

			var err error

			minter.Client.Credential, err = credential()
			require.NoError(t, err)

			_, err = minter.Lease(t.Context(), mint.Options{Tags: []string{"k8s"}})
			require.ErrorContains(t, err, "cannot handle")
			tailnettest.RequireNone(t, printed(t, err), opaque, "kCLIENT:"+opaque)
		})
	}
}

func TestErrorsOfAnIdentityTokenFunc(t *testing.T) {
	server := tailnettest.NewServer(t)
	minter := newMinter(t, server, tailnet.CredentialNone)

	var err error

	minter.Client.Credential, err = tailnet.WorkloadIdentityFunc("kCLIENT", nothing)
	require.NoError(t, err)

	_, err = minter.Lease(t.Context(), mint.Options{Tags: []string{"k8s"}})
	require.ErrorContains(t, err, "the runner gave no token to [redacted]")
	require.ErrorContains(t, err, "POST /api/v2/oauth/token-exchange")
	require.Empty(t, server.Requests())
}

func nothing(context.Context) (string, error) {
	return "", errors.New("the runner gave no token to tskey-client-CANARY")
}

// recorder stands in for the test that fails, to see what testify would print then.
type recorder struct{ text string }

func (r *recorder) Errorf(format string, args ...any) { r.text += fmt.Sprintf(format, args...) }
