package tailnet

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"tailscale.com/client/tailscale/v2"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// Key is an auth key as the tailnet knows it: all but the key itself, which only its creation shows.
type Key struct {
	// ID is what [Client.RevokeKey] takes. It is no secret.
	ID          string `json:"id"`
	Description string `json:"description"`
	// Tags are the tags of the devices that the key registers.
	Tags []string `json:"tags,omitempty"`
	// Reusable, Ephemeral and Preauthorized are as in [KeyRequest].
	Reusable      bool `json:"reusable"`
	Ephemeral     bool `json:"ephemeral"`
	Preauthorized bool `json:"preauthorized"`
	// Created and Expires are times of the server's clock. Expires is when the key stops working.
	Created time.Time `json:"created,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	// Invalid tells that the key cannot register a device any more: it is used up, expired or revoked.
	Invalid bool `json:"invalid,omitempty"`
}

// CreatedKey is a key with its secret.
type CreatedKey struct {
	Key

	// Secret is the key itself. It prints as "[redacted]", and so a CreatedKey can be printed.
	Secret authkey.Key `json:"-"`
	// Repeated tells that an earlier attempt met a rate limit. Should the server have carried it out all the same, there is
	// another key of this description.
	Repeated bool `json:"-"`
}

// KeyRequest says what key to create. It is sent as it is: package mint has safe defaults.
type KeyRequest struct {
	// Description is shown with the key in the admin console: at most 50 letters, digits, hyphens and spaces.
	Description string
	// Tags are the tags of the devices that the key registers, with "tag:".
	Tags []string
	// Expiry is how long the key works, in whole seconds. The API takes 0 for 90 days.
	Expiry time.Duration
	// Reusable makes the key register any number of devices until it expires.
	Reusable bool
	// Ephemeral makes the tailnet delete a device soon after it goes offline.
	Ephemeral bool
	// Preauthorized makes the devices need no approval, on a tailnet with device approval.
	Preauthorized bool
}

// CreateKey creates an auth key.
//
// A creation is repeated after a rate limit and when there was no connection, and never once it may have been carried out
// otherwise, since that would leave a second key behind: see [Error.Uncertain]. When the answer tells of a key that cannot be
// used, or is not the one that was asked for, CreateKey returns what it says of the key together with an error, whose Reason
// is [ReasonAnswerInvalid]. Package mint takes care of all that.
func (c *Client) CreateKey(ctx context.Context, request KeyRequest) (CreatedKey, error) {
	body := tailscale.CreateKeyRequest{ExpirySeconds: int64(request.Expiry / time.Second), Description: request.Description}
	create := &body.Capabilities.Devices.Create
	create.Tags, create.Reusable, create.Ephemeral, create.Preauthorized = request.Tags, request.Reusable, request.Ephemeral, request.Preauthorized

	var (
		answer  *tailscale.Key
		created CreatedKey
	)

	err := c.call(ctx, stepCreate, http.MethodPost, func(ctx context.Context) error {
		var err error

		answer, err = c.official.Keys().CreateAuthKey(ctx, body)

		failure, failed := errors.AsType[*Error](err)

		switch {
		case failed && failure.step == stepCreate && failure.Reason == ReasonRateLimited:
			created.Repeated = true
		case err == nil && (answer.ID == "" || answer.Key == ""):
			err = errors.New("the answer holds no key")
		}

		return err
	})
	if failure, ok := errors.AsType[*Error](err); ok && len(request.Tags) == 0 && failure.Reason == ReasonRefused && failure.Status == http.StatusBadRequest {
		failure.Reason = ReasonTagsRefused
		failure.Message += "; the key has no tags: Headscale makes none without for an API key, which belongs to no user"
	}

	if failure, ok := errors.AsType[*Error](err); ok && created.Repeated {
		failure.uncertain = true // whatever the last attempt says, an earlier one may have been carried out
	}

	if err != nil {
		return created, err // of which Repeated is all that there is
	}

	created.Key = keyOf(*answer)
	fault := c.contradiction(created.Key, request)
	created.Description = request.Description

	if created.Expires.IsZero() {
		created.Expires = c.Now().Add(request.Expiry)
	}

	created.Secret, err = authkey.Parse(answer.Key)

	if err != nil {
		fault = "what the answer has as the key cannot be used: " + err.Error()
	} else if id := idOf(answer.Key); id != "" && isTailscaleID(created.ID) && id != created.ID {
		fault, created.ID = "the answer has the ID of another key", id
	}

	if fault != "" {
		return created, c.invalid(stepCreate, http.MethodPost, fault)
	}

	c.made.Store(created.ID, request.Description)

	return created, nil
}

// contradiction says in what a key that was created is not the one that was asked for, or "". A server may leave things
// out of its answer.
func (c *Client) contradiction(key Key, request KeyRequest) string {
	switch {
	case key.Description != "" && key.Description != request.Description:
		return "the answer has the description of another key"
	case key.Invalid, !key.Expires.IsZero() && !key.Expires.After(c.Now()), !key.Expires.IsZero() && !key.Expires.After(key.Created):
		return "the answer has a key that does not work any more"
	case len(key.Tags) > 0 && !sameTags(key.Tags, request.Tags):
		return "the answer has a key with other tags"
	case key.Reusable && !request.Reusable, key.Ephemeral && !request.Ephemeral:
		return "the answer has a key that may do more, or less, than was asked for"
	}

	return ""
}

// sameTags compares sets of tags. Their case does not tell them apart: a server may keep them in its own.
func sameTags(a, b []string) bool {
	sorted := func(tags []string) []string {
		lower := make([]string, 0, len(tags))
		for _, tag := range tags {
			lower = append(lower, strings.ToLower(tag))
		}

		slices.Sort(lower)

		return slices.Compact(lower)
	}

	return slices.Equal(sorted(a), sorted(b))
}

const idSuffix = "CNTRL"

func isTailscaleID(id string) bool { return strings.HasSuffix(id, idSuffix) }

// idOf returns the ID with which a key of Tailscale begins, and "" for a key that does not tell.
func idOf(key string) string {
	id, _, ok := strings.Cut(strings.TrimPrefix(key, secret.AuthKey), "-")
	if !ok || !isTailscaleID(id) {
		return ""
	}

	return id
}
