package tailnet

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// authorizer implements the official client's Auth. The client's own OAuth fetches tokens with [http.DefaultClient];
// neither it nor its IdentityFederation honours the request's context, and both hold the credential in exported fields.
type authorizer struct {
	credential Credential
	userAgent  string
	share      time.Duration
	clock      *serverClock
	tokens     *tokenSource
}

// HTTPClient returns a client that adds the credential to each request. Redirects never get as far as that client,
// since [transport] reports them as errors.
func (a *authorizer) HTTPClient(orig *http.Client, baseURL string) *http.Client {
	base := orig.Transport
	if base == nil {
		base = http.DefaultTransport
	}

	// The client's own Timeout would replace the error of an attempt by one that says less.
	t := &transport{base: base, kind: a.credential.kind, timeout: orig.Timeout, share: a.share, clock: a.clock}

	if a.credential.kind.NeedsTags() {
		a.tokens = newTokenSource(a.credential, baseURL, a.userAgent, t)
	}

	return &http.Client{Transport: &authorized{transport: t, authorizer: a}, Jar: orig.Jar}
}

type authorized struct {
	transport  *transport
	authorizer *authorizer
}

// RoundTrip implements [http.RoundTripper].
func (t *authorized) RoundTrip(req *http.Request) (*http.Response, error) {
	// A transport may not change the request that it is given.
	req = req.Clone(req.Context())

	if t.authorizer.tokens == nil {
		token, err := t.authorizer.credential.secret(req.Context())
		if err != nil {
			return nil, &Error{
				Reason: ReasonCredentialRefused, Method: req.Method, Path: req.URL.EscapedPath(), Host: req.URL.Host, Attempts: 1,
				Message: secret.Scrubber(nil).Line(err.Error()),
			}
		}

		req.SetBasicAuth(token, "")

		return t.transport.RoundTrip(req)
	}

	token, fresh, err := t.authorizer.tokens.get(req.Context())
	if err != nil {
		return nil, err
	}

	req.Header.Set("Authorization", "Bearer "+token)

	res, err := t.transport.RoundTrip(req)

	failure, failed := errors.AsType[*Error](err)
	if failed && failure.Status == http.StatusUnauthorized && !fresh {
		// The token was revoked, or the server's clock is ahead. Nothing was done, so another token may try.
		t.authorizer.tokens.drop(req.Context(), token)

		failure.retry = true
	}

	if failed && failure.Reason == ReasonTagsRefused {
		if grant, err := t.authorizer.tokens.grant(req.Context()); err == nil && len(grant.Tags) > 0 {
			failure.Message += "; this client's tags are " + secret.Scrubber(nil).Line(strings.Join(grant.Tags, ", "))
		}
	}

	return res, err
}
