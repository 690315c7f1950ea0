package tailnet

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/tailscale/hujson"
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
	stepDevice
	stepChangeDevice
	stepPolicy
)

// repeatable reports whether a request of this step can be sent twice without harm. A creation cannot: the key of a
// lost answer would stay behind, unknown to everyone.
func (s step) repeatable() bool { return s != stepCreate }

// changes reports whether a request of this step does something that it matters to know of.
func (s step) changes() bool { return s == stepCreate || s == stepDelete || s == stepChangeDevice }

// ofDevices reports whether a request of this step is about devices.
func (s step) ofDevices() bool { return s == stepDevices || s == stepDevice || s == stepChangeDevice }

// accepts reports whether an answer is one with which the API says yes to a request of this step.
func (s step) accepts(status int, body []byte) bool {
	switch s {
	case stepDelete:
		return status == http.StatusOK
	case stepChangeDevice:
		return true
	case stepCreate:
		return (status == http.StatusOK || status == http.StatusCreated) && json.Valid(body)
	case stepList:
		return status == http.StatusOK && hasMember(body, "keys")
	case stepDevices:
		return status == http.StatusOK && hasMember(body, "devices")
	case stepPolicy:
		_, err := hujson.Parse(body)

		return status == http.StatusOK && err == nil
	case stepToken, stepExchange, stepGet, stepDevice:
	}

	return status == http.StatusOK && json.Valid(body)
}

// hasMember reports whether a body is an object with a member: without it, it would pass for an empty list.
func hasMember(body []byte, name string) bool {
	var object map[string]json.RawMessage

	return json.Unmarshal(body, &object) == nil && object[name] != nil
}

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

// reply is an answer that is no success.
type reply struct {
	status int
	// message is that of the API, and "" where the answer is none of the API's: then something in between may have given it.
	message string
	// page tells that the answer is made for a browser.
	page bool
}

// refuses reports whether it is the API itself that says no, so that nothing was done. Everything else leaves that open,
// also a rate limit: not all of them are checked before a request is carried out.
func (r reply) refuses() bool {
	switch r.status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}

	return r.message != "" && !r.page && r.status >= 400 && r.status < 500
}

// judge says what such an answer means in a step.
func judge(at step, r reply, kind CredentialKind) verdict {
	switch {
	case r.status == http.StatusTooManyRequests && at.ofDevices():
		return verdict{ReasonRateLimited, "the API's rate limit is reached: try again later"}
	case r.status == http.StatusTooManyRequests:
		return verdict{ReasonRateLimited, "the API's rate limit is reached: try again later, or make fewer keys at a time"}
	case r.status == http.StatusProxyAuthRequired:
		return verdict{ReasonNotTheAPI, "the proxy wants a login: put it into HTTPS_PROXY, or go around the proxy with NO_PROXY"}
	case r.status == http.StatusBadGateway, r.status == http.StatusServiceUnavailable, r.status == http.StatusGatewayTimeout,
		r.status == http.StatusRequestTimeout:
		return verdict{ReasonServerFailed, "a proxy or load balancer answered because the API behind it did not: try again later, and check the base URL"}
	case r.status >= http.StatusInternalServerError:
		return verdict{ReasonServerFailed, "the server failed: try again later"}
	case r.status >= 300 && r.status < 400 && r.status != http.StatusNotModified:
		return verdict{ReasonNotTheAPI, "the server redirects to another address, which is not followed with credentials: give that address as the base URL"}
	case r.page, r.status < 400:
		return verdict{ReasonNotTheAPI, "check that the base URL is that of the API, and that no login page or proxy stands in between"}
	case r.message == "" && r.status == http.StatusNotFound && at.ofDevices():
		return verdict{ReasonNotSupported, "this server cannot do this with devices: check the base URL (Headscale can since 0.30)"}
	case r.status == http.StatusNotFound && at == stepPolicy:
		return verdict{ReasonNotSupported, "this server does not show its policy: check tailnet and base URL (Headscale does since 0.30)"}
	case r.message == "" && r.status == http.StatusNotFound && at != stepToken && at != stepExchange:
		return verdict{ReasonNotSupported, "this server has no such API: check the base URL (Headscale has it since 0.30)"}
	}

	if v := judgeMessage(r); v.reason != "" {
		return v
	}

	var v verdict

	switch at {
	case stepToken:
		v = judgeToken(r.status)
	case stepExchange:
		v = judgeExchange(r.status)
	case stepCreate:
		v = judgeCreate(r, kind)
	case stepPolicy:
		if r.status == http.StatusForbidden && kind.NeedsTags() {
			v = verdict{
				ReasonScopeMissing,
				"the " + kind.String() + " lacks a scope: it needs policy_file, readable (admin console, Settings > Trust credentials)",
			}
		}
	case stepDevices, stepDevice, stepChangeDevice:
		v = judgeDevices(at, r.status, kind)
	case stepList:
		if r.status == http.StatusNotFound {
			v = verdict{ReasonTailnetUnknown, noTailnet}
		}
	case stepGet, stepDelete:
		if r.status == http.StatusNotFound {
			v = verdict{ReasonNotFound, "the tailnet has no key of this ID: it was revoked before, or it belongs to another tailnet"}
		}
	}

	if v.reason != "" {
		return v
	}

	return judgeCredential(r.status, kind)
}

// What the API's messages say of a fault, where the status is that of many others: the API has no codes. These are the only
// texts of others that anything depends on.
const (
	saysTags      = "requested tags"
	saysTag       = "tag tag:" // Headscale's, of one tag
	saysTailnet   = "tailnet does not match"
	saysSuspended = "suspended"
)

func judgeMessage(r reply) verdict {
	switch {
	case strings.Contains(r.message, saysTailnet):
		return verdict{ReasonTailnetUnknown, "the credential belongs to another tailnet: use - for its own, or the tailnet's name from the admin console " +
			"(Settings > General), which is not the name in MagicDNS"}
	case strings.Contains(strings.ToLower(r.message), saysSuspended):
		return verdict{ReasonTailnetSuspended, "another credential does not help: see the admin console, or ask Tailscale's support"}
	}

	return verdict{}
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

func judgeCreate(r reply, kind CredentialKind) verdict {
	switch {
	case r.status == http.StatusBadRequest && strings.Contains(r.message, saysTags) && kind.NeedsTags():
		return verdict{
			ReasonTagsRefused,
			"a key made by an OAuth client must have exactly the client's tags, or tags that those own in the policy file (tagOwners): not even a " +
				"part of the client's tags will do",
		}
	case r.status == http.StatusBadRequest && strings.Contains(r.message, saysTags):
		return verdict{
			ReasonTagsRefused,
			"every tag needs an owner in the policy file (tagOwners), and the user of the API access token must be one of them",
		}
	case strings.Contains(r.message, saysTag):
		return verdict{
			ReasonTagsRefused,
			"the tag has to be in the policy file, and be one of the OAuth client's, or one that those own there (tagOwners)",
		}
	case r.status == http.StatusNotFound:
		return verdict{ReasonTailnetUnknown, noTailnet}
	}

	return verdict{}
}

func judgeDevices(at step, status int, kind CredentialKind) verdict {
	switch {
	case status == http.StatusForbidden && kind.NeedsTags() && at == stepChangeDevice:
		return verdict{
			ReasonScopeMissing,
			"the " + kind.String() + " lacks a scope: it needs devices:core, writable (admin console, Settings > Trust credentials)",
		}
	case status == http.StatusForbidden && kind.NeedsTags():
		return verdict{
			ReasonScopeMissing,
			"the " + kind.String() + " lacks a scope: it needs devices:core, readable (admin console, Settings > Trust credentials)",
		}
	case status == http.StatusNotFound && at == stepDevices:
		return verdict{
			ReasonTailnetUnknown,
			"no such tailnet, or a server that does not list its devices: check tailnet and base URL (Headscale has one tailnet, -)",
		}
	case status == http.StatusNotFound:
		return verdict{ReasonNotFound, "the tailnet has no device of this ID: it was removed before, or it belongs to another tailnet"}
	}

	return verdict{}
}
