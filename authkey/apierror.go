package authkey

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// ErrKeyNotFound is returned by [Minter.Revoke] for an ID that the tailnet has no key of.
var ErrKeyNotFound = errors.New("the tailnet has no key of this ID: it was revoked before, or it belongs to another tailnet")

// APIError is a call of the API that failed.
//
// Its text names the request, the status and what to do. It holds no secret: what the server said is repeated only when
// it is a short message in the API's own form, and then without anything that was sent as a credential.
type APIError struct {
	// Method, Path and Host tell the request: "POST", "/api/v2/tailnet/-/keys", "api.tailscale.com".
	Method, Path, Host string
	// Status is the HTTP status of the last answer, 0 when there was none.
	Status int
	// Message says what is wrong and what to do about it.
	Message string
	// Attempts counts how often the request was tried, Elapsed how long that took in all.
	Attempts int
	Elapsed  time.Duration

	// cause is context.Canceled or context.DeadlineExceeded where that ended the call. Other causes are not kept,
	// because their texts are not ours.
	cause error
	// retry tells that the request may be sent again, retryAfter when the server wants it, 0 if it did not say.
	retry      bool
	retryAfter time.Duration
	// step is what the request was for.
	step step
	// unknown tells that the request may have been carried out although it failed.
	unknown bool
	// notAPI tells that whatever answered is not the API.
	notAPI bool
}

// Error returns the request, the status and the message, in one line.
func (e *APIError) Error() string {
	var b strings.Builder

	fmt.Fprintf(&b, "%s %s (%s): ", e.Method, e.Path, e.Host)

	if e.Status != 0 {
		fmt.Fprintf(&b, "status %d: ", e.Status)
	}

	b.WriteString(e.Message)

	if e.Attempts > 1 {
		fmt.Fprintf(&b, " (%d attempts in %s)", e.Attempts, e.Elapsed.Round(10*time.Millisecond))
	}

	return b.String()
}

// Unwrap returns [context.Canceled] or [context.DeadlineExceeded] where that ended the call, and nil otherwise.
func (e *APIError) Unwrap() error { return e.cause }

// isStatus reports whether an error is the API's answer with a status.
func isStatus(err error, status int) bool {
	failure, ok := errors.AsType[*APIError](err)

	return ok && failure.Status == status && !failure.notAPI
}

// step is what a request is for. The same status means another thing in each.
type step int

const (
	stepToken step = iota
	stepExchange
	stepCreate
	stepList
	stepGet
	stepDelete
	stepDevices
)

// repeatable reports whether a request of this step can be sent twice without harm. A creation cannot: the key of a
// lost answer would stay behind, unknown to everyone.
func (s step) repeatable() bool { return s != stepCreate }

// advice says what a failure status means in a step and what to do, or "" where the server's message has to do.
func advice(at step, status int, message string, kind CredentialKind) string {
	switch {
	case status == http.StatusTooManyRequests && at == stepDevices:
		return "the API's rate limit is reached: try again later"
	case status == http.StatusTooManyRequests:
		return "the API's rate limit is reached: try again later, or make fewer keys at a time"
	case status == http.StatusProxyAuthRequired:
		return "the proxy wants a login: put it into HTTPS_PROXY, or go around the proxy with NO_PROXY"
	case status == http.StatusBadGateway, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return "a proxy or load balancer answered because the API behind it did not: try again later, and check the base URL"
	case status >= http.StatusInternalServerError:
		return "the server failed: try again later"
	case status >= 300 && status < 400:
		return "the server redirects to another address, which is not followed with credentials: give that address as the base URL"
	}

	switch at {
	case stepToken:
		return tokenAdvice(status)
	case stepExchange:
		return exchangeAdvice(status)
	case stepCreate:
		if status == http.StatusBadRequest && strings.Contains(message, "requested tags") {
			return tagsAdvice(kind)
		}

		if status == http.StatusNotFound {
			return "no such tailnet: use - for the credential's own, or the tailnet's name from the admin console (Settings > General), " +
				"and check the base URL"
		}
	case stepDevices:
		if hint := devicesAdvice(status, kind); hint != "" {
			return hint
		}
	case stepList, stepGet, stepDelete:
	}

	switch status {
	case http.StatusUnauthorized:
		if kind == CredentialAPIToken {
			return "the API access token is wrong, expired or revoked: create another one (admin console, Settings > Keys)"
		}

		return "the access token was refused although it is new: check that base URL and credential belong together"
	case http.StatusForbidden:
		if kind == CredentialAPIToken {
			return "the user of the API access token may not do this: it takes the role Owner, Admin, IT admin or Network admin"
		}

		return "the " + kind.String() + " lacks a scope: it needs auth_keys, writable (admin console, Settings > Trust credentials)"
	}

	return ""
}

func tokenAdvice(status int) string {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized:
		return "the OAuth client's ID or secret is wrong, or the client was revoked: check both, and that the base URL is that of its server"
	case http.StatusForbidden:
		return "the OAuth client lacks a scope: it needs auth_keys, writable"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return "this server has no OAuth clients: check the base URL (Headscale has them since 0.30)"
	}

	return ""
}

func exchangeAdvice(status int) string {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return "the identity token was refused: it is expired, or its issuer, subject or audience is not that of the federated identity " +
			"with this client ID"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return "this server has no workload identities: check the base URL, or use another credential"
	}

	return ""
}

func devicesAdvice(status int, kind CredentialKind) string {
	switch {
	case status == http.StatusForbidden && kind.tailnetOwned():
		return "the " + kind.String() + " lacks a scope: it needs devices:core, readable (admin console, Settings > Trust credentials)"
	case status == http.StatusNotFound:
		return "no such tailnet, or a server that does not list its devices, which Headscale does not: check tailnet and base URL, or write the " +
			"hosts one by one"
	}

	return ""
}

func tagsAdvice(kind CredentialKind) string {
	if !kind.tailnetOwned() {
		return "every tag needs an owner in the policy file (tagOwners), and the user of the API access token must be one of them"
	}

	return "a key made by an OAuth client must have exactly the client's tags, or tags that those own in the policy file (tagOwners): " +
		"not even a part of the client's tags will do"
}
