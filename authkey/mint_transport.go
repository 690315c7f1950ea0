package authkey

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"
)

// stepContext carries the [step] of a request from the call to the transport, through the official client.
type stepContext struct{}

func withStep(ctx context.Context, at step) context.Context {
	return context.WithValue(ctx, stepContext{}, at)
}

// maxAnswer bounds what is read of an answer, in bytes. The longest is a list of all keys.
const maxAnswer = 16 << 20

// wire sends requests and turns everything that is not a good answer into an [APIError]. The official client, which
// sits above it, reports a failure whose body is not JSON as an error in that JSON, and takes a redirect for a success
// without content; neither gets that far.
type wire struct {
	base http.RoundTripper
	kind CredentialKind
	// timeout bounds one attempt, 0 not at all. share bounds one that can be repeated: a server that takes a request and
	// says nothing must leave time for another attempt.
	timeout, share time.Duration
}

// RoundTrip implements [http.RoundTripper] for requests whose context carries a [step].
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	at, ok := req.Context().Value(stepContext{}).(step)
	if !ok {
		return nil, errors.New("request without a step")
	}

	return w.send(req, at)
}

// send makes one attempt of a request. more are credentials in its body, which no message may repeat.
func (w *wire) send(req *http.Request, at step, more ...string) (*http.Response, error) {
	failure := &APIError{Method: req.Method, Path: req.URL.EscapedPath(), Host: req.URL.Host, Attempts: 1, step: at}
	scrub := requestScrubber(req, more...)

	if err := req.Context().Err(); err != nil {
		return nil, w.unanswered(failure, at, err, false, scrub)
	}

	ctx, cancel := w.limit(req.Context(), at)
	defer cancel()

	var asked, connected atomic.Bool

	res, err := w.base.RoundTrip(req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})))
	if err != nil {
		// Without a connection nothing was sent. A transport that does not trace its connections leaves it open.
		_, traces := w.base.(*http.Transport)
		sent := connected.Load() || !asked.Load() && !traces

		return nil, w.unanswered(failure, at, err, sent, scrub)
	}

	defer res.Body.Close() //nolint:errcheck // it is only read

	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		failure.Status = res.StatusCode

		return nil, w.unanswered(failure, at, err, true, scrub)
	}

	if err := w.check(failure, at, res, body, scrub); err != nil {
		return nil, err
	}

	res.Body = io.NopCloser(bytes.NewReader(body))

	return res, nil
}

// limit bounds one attempt.
func (w *wire) limit(ctx context.Context, at step) (context.Context, context.CancelFunc) {
	limit := w.timeout

	if at.repeatable() && (limit == 0 || w.share < limit) {
		limit = w.share
	}

	if limit == 0 {
		return context.WithCancel(ctx)
	}

	return context.WithTimeout(ctx, limit)
}

// unanswered fills in the error of a request that got no answer, or only a part of one.
func (w *wire) unanswered(failure *APIError, at step, err error, sent bool, scrub scrubber) error {
	failure.Message = networkMessage(err, scrub)
	failure.unknown = sent
	failure.retry = at.repeatable() || !sent

	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, ended) {
			failure.cause = ended
		}
	}

	if errors.Is(err, context.Canceled) || stays(err) {
		failure.retry = false
	}

	return failure
}

// check returns nil for a good answer.
func (w *wire) check(failure *APIError, at step, res *http.Response, body []byte, scrub scrubber) error {
	failure.Status = res.StatusCode
	page := isPage(res.Header, body)

	if res.StatusCode >= 200 && res.StatusCode < 300 {
		switch {
		case page:
			failure.Message = "the answer is a web page and not the API's: check that the base URL is that of the API, and that no " +
				"login page or proxy stands in between"
			failure.notAPI = true
		case at == stepDelete || json.Valid(body):
			return nil
		default:
			failure.Message = "the answer is not JSON, or broke off"
			failure.retry = at.repeatable()
		}

		failure.unknown = true

		return failure
	}

	message := scrub.text(apiMessage(body))
	hint := advice(at, res.StatusCode, message, w.kind)

	switch {
	case page:
		message = "the answer is a web page and not the API's"
		failure.notAPI = true

		if res.StatusCode >= 400 && res.StatusCode < 500 && res.StatusCode != http.StatusTooManyRequests &&
			res.StatusCode != http.StatusProxyAuthRequired {
			hint = "check that the base URL is that of the API, and that no login page or proxy stands in between"
		}
	case message == "" && hint == "":
		message = strings.ToLower(http.StatusText(res.StatusCode))
	}

	failure.Message = joinNonEmpty(": ", message, hint)
	failure.retryAfter = retryAfter(res.Header)

	switch {
	case res.StatusCode == http.StatusTooManyRequests:
		failure.retry = true
	case res.StatusCode >= http.StatusInternalServerError:
		failure.retry = at.repeatable()
		failure.unknown = true
	}

	return failure
}

// apiMessage finds the message in a failure's body: Tailscale's and Headscale's API say {"message"}, their OAuth
// endpoints {"error", "error_description"} or {"message"}. It is "" when there is none.
func apiMessage(body []byte) string {
	var answer struct {
		Message     string `json:"message"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Detail      string `json:"detail"`
	}

	if err := json.Unmarshal(body, &answer); err != nil {
		return ""
	}

	for _, message := range []string{answer.Message, joinNonEmpty(": ", answer.Error, answer.Description), answer.Detail} {
		if message != "" {
			return message
		}
	}

	return ""
}

// isPage reports whether an answer is made for a browser.
func isPage(header http.Header, body []byte) bool {
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))

	return err == nil && media == "text/html" || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}

func joinNonEmpty(separator string, parts ...string) string {
	var kept []string

	for _, part := range parts {
		if part != "" {
			kept = append(kept, part)
		}
	}

	return strings.Join(kept, separator)
}

// authorizer implements the official client's Auth. The client's own implementations fetch the access token with
// [http.DefaultClient] and without a context: they know neither the caller's proxy and certificates nor its deadline,
// and they hold the credential in exported fields.
type authorizer struct {
	credential Credential
	userAgent  string
	share      time.Duration
	tokens     *tokenSource
}

// HTTPClient returns a client that adds the credential to each request. Redirects never get as far as that client,
// since [wire] reports them as errors.
func (a *authorizer) HTTPClient(orig *http.Client, baseURL string) *http.Client {
	base := orig.Transport
	if base == nil {
		base = http.DefaultTransport
	}

	// The client's own Timeout would replace the error of an attempt by one that says less.
	w := &wire{base: base, kind: a.credential.kind, timeout: orig.Timeout, share: a.share}

	if a.credential.kind.tailnetOwned() {
		a.tokens = newTokenSource(a.credential, baseURL, a.userAgent, w)
	}

	return &http.Client{Transport: &authorized{wire: w, authorizer: a}, Jar: orig.Jar}
}

type authorized struct {
	wire       *wire
	authorizer *authorizer
}

// RoundTrip implements [http.RoundTripper].
func (t *authorized) RoundTrip(req *http.Request) (*http.Response, error) {
	// A transport may not change the request that it is given.
	req = req.Clone(req.Context())

	if t.authorizer.tokens == nil {
		req.SetBasicAuth(t.authorizer.credential.secret(), "")

		return t.wire.RoundTrip(req)
	}

	token, fresh, err := t.authorizer.tokens.get(req.Context())
	if err != nil {
		return nil, err
	}

	req.Header.Set("Authorization", "Bearer "+token)

	res, err := t.wire.RoundTrip(req)

	var failure *APIError
	if errors.As(err, &failure) && failure.Status == http.StatusUnauthorized && !fresh {
		// The token was revoked, or the server's clock is ahead. Nothing was done, so another token may try.
		t.authorizer.tokens.drop(token)

		failure.retry = true
	}

	if failure != nil && strings.Contains(failure.Message, "requested tags") {
		if tags := t.authorizer.tokens.tags(); tags != "" {
			failure.Message += "; this client's tags are " + scrubber(nil).text(tags)
		}
	}

	return res, err
}
