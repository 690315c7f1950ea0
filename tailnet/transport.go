package tailnet

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

	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// maxAnswer bounds what is read of an answer, in bytes. The longest is a list of all keys.
const maxAnswer = 16 << 20

// notTheAnswer is said where something else than the API says yes, or its answer cannot be read.
const notTheAnswer = "the answer is not what the API sends: check the base URL"

// transport sends requests and turns everything that is not a good answer into an [Error]. The official client, which
// sits above it, reports a failure whose body is not JSON as an error in that JSON, and takes a redirect for a success
// without content; neither gets that far.
type transport struct {
	base http.RoundTripper
	kind CredentialKind
	// timeout bounds one attempt, 0 not at all. share bounds one that can be repeated: a server that takes a request and
	// says nothing must leave time for another attempt.
	timeout, share time.Duration
	clock          *serverClock
}

// RoundTrip implements [http.RoundTripper] for requests whose context carries a [step].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	at, ok := req.Context().Value(stepContext{}).(step)
	if !ok {
		return nil, errors.New("request without a step")
	}

	return t.send(req, at)
}

// send makes one attempt of a request. more are credentials in its body, which no message may repeat.
func (t *transport) send(req *http.Request, at step, more ...string) (*http.Response, error) {
	failure := &Error{Method: req.Method, Path: req.URL.EscapedPath(), Host: req.URL.Host, Attempts: 1, step: at}
	scrub := requestScrubber(req, more...)

	if err := req.Context().Err(); err != nil {
		return nil, t.unanswered(failure, at, err, false, scrub)
	}

	ctx, cancel := t.limit(req.Context(), at)
	defer cancel()

	var asked, connected atomic.Bool

	res, err := t.base.RoundTrip(req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})))
	if err != nil {
		// Without a connection nothing was sent. A transport that does not trace its connections leaves it open.
		_, traces := t.base.(*http.Transport)
		sent := connected.Load() || !asked.Load() && !traces

		return nil, t.unanswered(failure, at, err, sent, scrub)
	}

	defer res.Body.Close() //nolint:errcheck // it is only read

	t.clock.set(res.Header)

	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		failure.Status = res.StatusCode

		return nil, t.unanswered(failure, at, err, true, scrub)
	}

	if err := t.check(failure, at, res, body, scrub); err != nil {
		return nil, err
	}

	res.Body = io.NopCloser(bytes.NewReader(body))

	return res, nil
}

// limit bounds one attempt.
func (t *transport) limit(ctx context.Context, at step) (context.Context, context.CancelFunc) {
	limit := t.timeout

	if at.repeatable() && (limit == 0 || t.share < limit) {
		limit = t.share
	}

	if limit == 0 {
		return context.WithCancel(ctx)
	}

	return context.WithTimeout(ctx, limit)
}

// unanswered fills in the error of a request that got no answer, or only a part of one.
func (t *transport) unanswered(failure *Error, at step, err error, sent bool, scrub secret.Scrubber) error {
	failure.Reason, failure.Message = networkReason(err, sent), networkMessage(err, scrub)
	failure.uncertain = sent && at.changes()
	failure.retry = at.repeatable() || !sent

	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, ended) {
			failure.cause = ended
		}
	}

	if errors.Is(err, context.Canceled) || isPermanent(err) {
		failure.retry = false
	}

	return failure
}

// check returns nil for a good answer.
func (t *transport) check(failure *Error, at step, res *http.Response, body []byte, scrub secret.Scrubber) error {
	failure.Status = res.StatusCode
	page := isPage(res.Header, body)

	if res.StatusCode >= 200 && res.StatusCode < 300 {
		switch {
		case page:
			failure.Reason = ReasonNotTheAPI
			failure.Message = "the answer is a web page and not the API's: check that the base URL is that of the API, and that no " +
				"login page or proxy stands in between"
		case at.accepts(res.StatusCode, body):
			return nil
		case res.StatusCode != http.StatusOK || json.Valid(body):
			// Something else than the API says yes. A revocation is asked for again: then the key is gone, or it is not.
			failure.Reason = ReasonAnswerInvalid
			failure.Message = notTheAnswer
			failure.retry = at == stepDelete
		default:
			failure.Reason = ReasonAnswerInvalid
			failure.Message = "the answer is not JSON, or broke off"
			failure.retry = at.repeatable()
		}

		failure.uncertain = at.changes()

		return failure
	}

	said := reply{status: res.StatusCode, message: scrub.Line(apiMessage(body)), page: page}
	verdict := judge(at, said, t.kind)
	message := said.message

	switch {
	case page:
		message = "the answer is a web page and not the API's"
	case message == "" && verdict.hint == "":
		message = strings.ToLower(http.StatusText(res.StatusCode))
	}

	failure.Reason = verdict.reason
	failure.Message = joinNonEmpty(": ", message, verdict.hint)
	failure.retryAfter = retryAfter(res.Header)
	failure.uncertain = at.changes() && !said.refuses()

	failure.retry = verdict.reason == ReasonRateLimited || verdict.reason == ReasonServerFailed && at.repeatable()

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
