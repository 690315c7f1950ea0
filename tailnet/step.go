package tailnet

import (
	"context"
	"net/http"
	"strings"
)

// step is what a request is for. The same status means another thing in each.
type step int

const (
	_ step = iota
	stepToken
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

// changes reports whether a request of this step does something that it matters to know of.
func (s step) changes() bool { return s == stepCreate || s == stepDelete }

// stepContext carries the step of a request from the call to the transport, through the official client.
type stepContext struct{}

func withStep(ctx context.Context, at step) context.Context {
	return context.WithValue(ctx, stepContext{}, at)
}

// verdict is what an answer that is no success means.
type verdict struct {
	reason Reason
	// hint says what to do, or is "" where the server's own message says enough.
	hint string
}

// judge says what a failure status means in a step. page tells that the answer is no message of the API.
func judge(at step, status int, message string, page bool, kind CredentialKind) verdict {
	switch {
	case status == http.StatusTooManyRequests && at == stepDevices:
		return verdict{ReasonRateLimited, "the API's rate limit is reached: try again later"}
	case status == http.StatusTooManyRequests:
		return verdict{ReasonRateLimited, "the API's rate limit is reached: try again later, or make fewer keys at a time"}
	case status == http.StatusProxyAuthRequired:
		return verdict{ReasonNotTheAPI, "the proxy wants a login: put it into HTTPS_PROXY, or go around the proxy with NO_PROXY"}
	case status == http.StatusBadGateway, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return verdict{ReasonServerFailed, "a proxy or load balancer answered because the API behind it did not: try again later, and check the base URL"}
	case status >= http.StatusInternalServerError:
		return verdict{ReasonServerFailed, "the server failed: try again later"}
	case status >= 300 && status < 400:
		return verdict{ReasonNotTheAPI, "the server redirects to another address, which is not followed with credentials: give that address as the base URL"}
	case page:
		return verdict{ReasonNotTheAPI, "check that the base URL is that of the API, and that no login page or proxy stands in between"}
	}

	var v verdict

	switch at {
	case stepToken:
		v = judgeToken(status)
	case stepExchange:
		v = judgeExchange(status)
	case stepCreate:
		v = judgeCreate(status, message, kind)
	case stepDevices:
		v = judgeDevices(status, kind)
	case stepList:
		if status == http.StatusNotFound {
			v = verdict{ReasonTailnetUnknown, noTailnet}
		}
	case stepGet, stepDelete:
		if status == http.StatusNotFound {
			v = verdict{ReasonNotFound, "the tailnet has no key of this ID: it was revoked before, or it belongs to another tailnet"}
		}
	}

	if v.reason != "" {
		return v
	}

	return judgeCredential(status, kind)
}

const noTailnet = "no such tailnet: use - for the credential's own, or the tailnet's name from the admin console (Settings > General), and " +
	"check the base URL"

func judgeCredential(status int, kind CredentialKind) verdict {
	switch {
	case status == http.StatusUnauthorized && kind == CredentialAPIToken:
		return verdict{ReasonCredentialRefused, "the API access token is wrong, expired or revoked: create another one (admin console, Settings > Keys)"}
	case status == http.StatusUnauthorized:
		return verdict{ReasonCredentialRefused, "the access token was refused although it is new: check that base URL and credential belong together"}
	case status == http.StatusForbidden && kind == CredentialAPIToken:
		return verdict{
			ReasonScopeMissing,
			"the user of the API access token may not do this: it takes the role Owner, Admin, IT admin or Network admin",
		}
	case status == http.StatusForbidden:
		return verdict{
			ReasonScopeMissing,
			"the " + kind.String() + " lacks a scope: it needs auth_keys, writable (admin console, Settings > Trust credentials)",
		}
	}

	return verdict{reason: ReasonRefused}
}

func judgeToken(status int) verdict {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized:
		return verdict{
			ReasonCredentialRefused,
			"the OAuth client's ID or secret is wrong, or the client was revoked: check both, and that the base URL is that of its server",
		}
	case http.StatusForbidden:
		return verdict{ReasonScopeMissing, "the OAuth client lacks a scope: it needs auth_keys, writable"}
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return verdict{ReasonNotSupported, "this server has no OAuth clients: check the base URL (Headscale has them since 0.30)"}
	}

	return verdict{}
}

func judgeExchange(status int) verdict {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return verdict{
			ReasonCredentialRefused,
			"the identity token was refused: it is expired, or its issuer, subject or audience is not that of the federated identity with this client ID",
		}
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return verdict{ReasonNotSupported, "this server has no workload identities: check the base URL, or use another credential"}
	}

	return verdict{}
}

// refusedTags is how the API's message says that it is about tags. The status is that of every other fault of a request,
// and the API has no code for it.
const refusedTags = "requested tags"

func judgeCreate(status int, message string, kind CredentialKind) verdict {
	switch {
	case status == http.StatusBadRequest && strings.Contains(message, refusedTags) && kind.NeedsTags():
		return verdict{
			ReasonTagsRefused,
			"a key made by an OAuth client must have exactly the client's tags, or tags that those own in the policy file (tagOwners): not even a " +
				"part of the client's tags will do",
		}
	case status == http.StatusBadRequest && strings.Contains(message, refusedTags):
		return verdict{
			ReasonTagsRefused,
			"every tag needs an owner in the policy file (tagOwners), and the user of the API access token must be one of them",
		}
	case status == http.StatusNotFound:
		return verdict{ReasonTailnetUnknown, noTailnet}
	}

	return verdict{}
}

func judgeDevices(status int, kind CredentialKind) verdict {
	switch {
	case status == http.StatusForbidden && kind.NeedsTags():
		return verdict{
			ReasonScopeMissing,
			"the " + kind.String() + " lacks a scope: it needs devices:core, readable (admin console, Settings > Trust credentials)",
		}
	case status == http.StatusNotFound:
		return verdict{
			ReasonTailnetUnknown,
			"no such tailnet, or a server that does not list its devices, which Headscale does not: check tailnet and base URL, or write the hosts " +
				"one by one",
		}
	}

	return verdict{}
}
