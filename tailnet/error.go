package tailnet

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrNoCredentials is returned by [FromEnv] and [CredentialFromEnv] when no variable of a credential is set, and by a
// [Client] without a Credential. It is not returned for a credential that is set in part, or wrongly.
var ErrNoCredentials = errors.New("no Tailscale API credentials: set " + EnvUsage)

// Reason is why a call failed, for programs: the texts of errors change, reasons are stable within a major version.
type Reason string

// The reasons of an [Error].
const (
	// ReasonUnreachable: there was no connection to the server, so nothing was sent.
	ReasonUnreachable Reason = "unreachable"
	// ReasonNoAnswer: the connection broke, or the time was up, before the answer was whole.
	ReasonNoAnswer Reason = "no-answer"
	// ReasonInterrupted: the caller's context was cancelled.
	ReasonInterrupted Reason = "interrupted"
	// ReasonNotTheAPI: something else than the API answered, such as a login page, a proxy or a redirect.
	ReasonNotTheAPI Reason = "not-the-api"
	// ReasonNotSupported: the server is no such API, or lacks this part of it, as Headscale lacks some.
	ReasonNotSupported Reason = "not-supported"
	// ReasonAnswerInvalid: the API's answer cannot be read, or contradicts itself or the request.
	ReasonAnswerInvalid Reason = "answer-invalid"
	// ReasonCredentialRefused: the credential is wrong, expired or revoked, or there is none to show.
	ReasonCredentialRefused Reason = "credential-refused"
	// ReasonScopeMissing: the credential is good, and may not do this.
	ReasonScopeMissing Reason = "scope-missing"
	// ReasonTagsRefused: the credential may not use these tags.
	ReasonTagsRefused Reason = "tags-refused"
	// ReasonTailnetUnknown: there is no such tailnet, or the credential is not one of it.
	ReasonTailnetUnknown Reason = "tailnet-unknown"
	// ReasonTailnetSuspended: the tailnet is suspended.
	ReasonTailnetSuspended Reason = "tailnet-suspended"
	// ReasonNotFound: the tailnet has no such key or device.
	ReasonNotFound Reason = "not-found"
	// ReasonRateLimited: the credential, or the tailnet, asks too often.
	ReasonRateLimited Reason = "rate-limited"
	// ReasonRefused: the API refuses the request for another reason, which its message says.
	ReasonRefused Reason = "refused"
	// ReasonServerFailed: the server failed, or a proxy in front of it.
	ReasonServerFailed Reason = "server-failed"
)

// Error is a call of the API that failed.
//
// Its text names the request, the status and what to do. It holds no secret: what the server said is repeated only when
// it is a short message in the API's own form, and then without anything that was sent as a credential.
type Error struct {
	// Reason is what a program branches on.
	Reason Reason
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
	// uncertain tells that the request may have been carried out although it failed.
	uncertain bool
}

// Error returns the request, the status and the message, in one line.
func (e *Error) Error() string {
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
func (e *Error) Unwrap() error { return e.cause }

// Uncertain reports whether the call may have been carried out although it failed: it got no clear answer.
func (e *Error) Uncertain() bool { return e.uncertain }

// Is reports whether an error is a call of the API that failed for a reason.
func Is(err error, reason Reason) bool {
	failure, ok := errors.AsType[*Error](err)

	return ok && failure.Reason == reason
}
