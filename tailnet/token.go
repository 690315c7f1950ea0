package tailnet

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// tokenSource gets the access tokens of an OAuth client or a workload identity. One token serves all requests until
// shortly before it expires, and while one goroutine fetches it, the others wait.
type tokenSource struct {
	credential Credential
	url        string
	userAgent  string
	transport  *transport

	// turn is held by whoever reads or changes the fields below. It is a channel because a caller must be able to give
	// up waiting for it.
	turn chan struct{}
	// token is a function for the reason that [Credential] gives, and nil when there is none.
	token   func() string
	granted Grant
	// until is when to get another token, on this machine's monotonic clock: it does not matter whether the clock on
	// the wall agrees with the server's. The zero time is never.
	until time.Time
}

func newTokenSource(credential Credential, baseURL, userAgent string, t *transport) *tokenSource {
	path := "/api/v2/oauth/token"
	if credential.kind == CredentialWorkloadIdentity {
		path = "/api/v2/oauth/token-exchange"
	}

	return &tokenSource{credential: credential, url: baseURL + path, userAgent: userAgent, transport: t, turn: make(chan struct{}, 1)}
}

// step is what the requests for a token are.
func (s *tokenSource) step() step {
	if s.credential.kind == CredentialWorkloadIdentity {
		return stepExchange
	}

	return stepToken
}

// get returns an access token, and whether it was fetched just now.
func (s *tokenSource) get(ctx context.Context) (token string, fresh bool, err error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return "", false, s.failure(networkReason(ctx.Err(), false), networkMessage(ctx.Err(), nil), ctx.Err())
	}

	defer func() { <-s.turn }()

	if s.token != nil && (s.until.IsZero() || time.Now().Before(s.until)) {
		return s.token(), false, nil
	}

	token, err = s.fetch(ctx)

	return token, true, err
}

// drop forgets a token that the server refused, unless another goroutine has replaced it already. It waits for its turn no
// longer than ctx lasts: then it does not matter any more.
func (s *tokenSource) drop(ctx context.Context, token string) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return
	}

	defer func() { <-s.turn }()

	if s.token != nil && s.token() == token {
		s.token = nil
	}
}

// fetch gets a token and keeps it. It makes one attempt: what called for the token is repeated as a whole.
func (s *tokenSource) fetch(ctx context.Context) (string, error) {
	at, form := s.step(), url.Values{"grant_type": {"client_credentials"}}

	text, err := s.credential.secret(ctx)
	if err == nil && s.credential.kind == CredentialWorkloadIdentity {
		text, err = checkIdentityToken(text)
	}

	if err != nil {
		return "", s.failure(ReasonCredentialRefused, secret.Scrubber{text}.Line(err.Error()), ctx.Err())
	}

	var identity string

	if s.credential.kind == CredentialWorkloadIdentity {
		identity = text
		form = url.Values{"client_id": {s.credential.clientID}, "jwt": {identity}}
	}

	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, strings.NewReader(form.Encode()))
	if err != nil {
		return "", s.failure(ReasonUnreachable, "the base URL does not make a request", nil)
	}

	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", s.userAgent)

	if at == stepToken {
		req.SetBasicAuth(url.QueryEscape(s.credential.clientID), url.QueryEscape(text))
	}

	res, err := s.transport.send(req, at, identity)
	if err != nil {
		return "", s.explain(err, identity)
	}

	defer res.Body.Close() //nolint:errcheck // it is in memory

	var answer struct {
		Token     string `json:"access_token"`
		ExpiresIn int64  `json:"expires_in"`
		Scope     string `json:"scope"`
		Tags      string `json:"tags"`
	}

	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Token == "" {
		return "", s.failure(ReasonAnswerInvalid, "the answer holds no access token: check the base URL", nil)
	}

	s.keep(answer.Token, time.Duration(answer.ExpiresIn)*time.Second)
	s.granted = grantOf(answer.Scope, answer.Tags)

	return answer.Token, nil
}

func (s *tokenSource) keep(token string, lifetime time.Duration) {
	s.token, s.until = func() string { return token }, time.Time{}

	if lifetime > 0 {
		const early = time.Minute

		s.until = time.Now().Add(lifetime - min(early, lifetime/10))
	}
}

// explain adds to a refused exchange what the identity token itself says about it.
func (s *tokenSource) explain(err error, identity string) error {
	failure, ok := errors.AsType[*Error](err)
	if !ok || identity == "" || failure.Status < 400 || failure.Status >= 500 {
		return err
	}

	if expired, ok := expiry(identity); ok && time.Now().After(expired) {
		failure.Message += "; by this machine's clock it expired at " + expired.UTC().Format(time.RFC3339)
	}

	return failure
}

// expiry reads when a JWT expires. The server decides whether it does: this machine's clock may be wrong.
func expiry(token string) (time.Time, bool) {
	var claims struct {
		Expires float64 `json:"exp"`
	}

	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}

	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.Expires == 0 {
		return time.Time{}, false
	}

	return time.Unix(int64(claims.Expires), 0), true
}

// failure is an error of this step for which there is no answer of a server.
func (s *tokenSource) failure(reason Reason, message string, cause error) *Error {
	failure := &Error{Reason: reason, Method: http.MethodPost, Message: message, Attempts: 1, cause: cause, step: s.step()}

	if target, err := url.Parse(s.url); err == nil {
		failure.Path, failure.Host = target.EscapedPath(), target.Host
	}

	return failure
}
