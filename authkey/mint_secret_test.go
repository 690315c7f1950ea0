package authkey_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/authkey/authkeytest"
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

	if _, isMinter := value.(*authkey.Minter); !isMinter { // it has functions, which YAML does not
		text, err := yaml.Marshal(value)
		require.NoError(t, err)
		out.Write(text)
	}

	var failed recorder

	assert.Equal(&failed, value, "something else")
	out.WriteString(failed.text)

	return out.String()
}

// forms are the ways in which a secret travels.
func forms(secret string) []string {
	return []string{
		secret, url.QueryEscape(secret), fmt.Sprintf("%x", secret),
		strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "="),
		base64.StdEncoding.EncodeToString([]byte(secret + ":")),
	}
}

func requireNoSecret(t *testing.T, text string, secrets []string) {
	t.Helper()

	for _, secret := range secrets {
		for _, form := range forms(secret) {
			require.NotContains(t, text, form)
		}
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.String(), func(t *testing.T) {
			server := newServer(t)
			minter := newMinter(t, server, kind)

			minted, err := minter.Mint(t.Context(), authkey.Options{Tags: []string{"k8s"}})
			require.NoError(t, err)

			secrets := append(server.Secrets(), minted.Key.Reveal())
			require.GreaterOrEqual(t, len(secrets), 2)

			for _, value := range []any{minter, minter.Credential, minted, &minted, minted.Key, []any{minted, minter.Credential}} {
				text := printed(t, value)
				require.Contains(t, text, authkey.Redacted)
				requireNoSecret(t, text, secrets)
			}
		})
	}
}

// TestNoErrorRepeatsASecret has the worst server that there can be: whatever it is asked, its error repeats the request,
// with the credentials.
func TestNoErrorRepeatsASecret(t *testing.T) {
	t.Parallel()

	everywhere := []authkeytest.Endpoint{
		authkeytest.OAuthToken, authkeytest.TokenExchange, authkeytest.CreateKey, authkeytest.ListKeys, authkeytest.GetKey,
		authkeytest.DeleteKey,
	}
	others := map[authkeytest.Endpoint]authkey.CredentialKind{
		authkeytest.OAuthToken: authkey.CredentialOAuthClient, authkeytest.TokenExchange: authkey.CredentialWorkloadIdentity,
	}

	for _, kind := range kinds {
		for _, endpoint := range everywhere {
			if only, ok := others[endpoint]; ok && only != kind {
				continue
			}

			for _, status := range []int{200, 400, 401, 403, 500} {
				t.Run(fmt.Sprintf("%s, %s, %d", kind, endpoint, status), func(t *testing.T) {
					t.Parallel()

					server := newServer(t)
					minter := newMinter(t, server, kind)

					if status == 500 {
						minter.Timeout = 150 * time.Millisecond
					}

					var log bytes.Buffer

					minter.OnRetry = func(err error, _ time.Duration) { fmt.Fprintf(&log, "%v %+v %#v\n", err, err, err) }

					if endpoint != authkeytest.CreateKey {
						// The other endpoints are asked only when a creation got no clear answer.
						server.Fail(authkeytest.Fault{On: authkeytest.CreateKey, Status: 500, Handled: true})
					}

					server.Fail(authkeytest.Fault{On: endpoint, Status: status, Echo: true})

					_, err := minter.Mint(t.Context(), authkey.Options{Tags: []string{"k8s"}})
					require.Error(t, err)

					if status == 400 && endpoint != authkeytest.ListKeys {
						require.ErrorContains(t, err, "cannot handle", "the server's message gets that far")
						require.ErrorContains(t, err, authkey.Redacted)
					}

					revoked := minter.Revoke(t.Context(), "kSOMECNTRL")

					for _, err := range []error{err, revoked} {
						if err != nil {
							requireNoSecret(t, printed(t, err)+err.Error(), server.Secrets())
						}
					}

					requireNoSecret(t, log.String(), server.Secrets())
				})
			}
		}
	}
}

// TestNoErrorRepeatsASecretWithoutAForm is the same with secrets that nothing but the request itself tells to be some.
func TestNoErrorRepeatsASecretWithoutAForm(t *testing.T) {
	const opaque = "CANARY0123456789abcdef"

	for name, credential := range map[string]authkey.Credential{
		"API access token": must[authkey.Credential](t)(authkey.APIToken(opaque)),
		"OAuth client":     must[authkey.Credential](t)(authkey.OAuthClient("kCLIENT", opaque)),
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(t)
			server.Fail(authkeytest.Fault{Status: 400, Echo: true})

			minter := newMinter(t, server, authkey.CredentialNone)
			minter.Credential = credential

			_, err := minter.Mint(t.Context(), authkey.Options{Tags: []string{"k8s"}})
			require.ErrorContains(t, err, "cannot handle")
			requireNoSecret(t, printed(t, err), []string{opaque, "kCLIENT:" + opaque})
		})
	}
}

func TestErrorsOfAnIdentityTokenFunc(t *testing.T) {
	server := newServer(t)
	minter := newMinter(t, server, authkey.CredentialNone)
	minter.Credential = must[authkey.Credential](t)(authkey.WorkloadIdentityFunc("kCLIENT", nothing))

	_, err := minter.Mint(t.Context(), authkey.Options{Tags: []string{"k8s"}})
	require.ErrorContains(t, err, "the runner gave no token to [redacted]")
	require.ErrorContains(t, err, "POST /api/v2/oauth/token-exchange")
	require.Empty(t, server.Requests())
}

func nothing(context.Context) (string, error) {
	return "", errors.New("the runner gave no token to tskey-client-CANARY")
}
