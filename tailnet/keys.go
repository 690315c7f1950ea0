package tailnet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
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
		return CreatedKey{}, err
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

// RevokeKey takes back the key of this ID. Devices that it registered stay registered.
//
// When the tailnet has no such key, that is an error with [ReasonNotFound]. That may be what a caller wants, and it may be a
// typing error that leaves the right key alive. It is no error when RevokeKey itself deleted the key and only the answer
// got lost.
//
// A caller that revokes because its context ended must not pass that context: see [context.WithoutCancel].
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	tried, err := c.revoke(ctx, id)
	if tried && Is(err, ReasonNotFound) {
		return nil
	}

	return err
}

// TakeBack revokes a key that was created, and looks for it by its description where the tailnet does not know its ID: the
// answer to the creation may have had a wrong one. A key that is gone, or does not work any more, is no error.
func (c *Client) TakeBack(ctx context.Context, key Key) error {
	if _, err := c.revoke(ctx, key.ID); !Is(err, ReasonNotFound) {
		return err
	}

	if key.Description == "" {
		return nil
	}

	found, err := c.FindKeys(ctx, key.Description)

	for _, other := range found {
		if other.Invalid {
			continue
		}

		// What the list has is there, whatever the revocation says.
		if _, failed := c.revoke(ctx, other.ID); failed != nil {
			err = errors.Join(err, failed)
		}
	}

	return err
}

// revoke deletes the key of an ID. tried tells that an attempt may have deleted it before the last one, which does not find
// it then.
func (c *Client) revoke(ctx context.Context, id string) (tried bool, err error) {
	id = strings.TrimSpace(id)

	switch {
	case id == "":
		return false, errors.New("revoking an auth key: the ID is empty")
	case secret.Looks(id):
		return false, errors.New("revoking an auth key: this is a key and not its ID: the ID is what the admin console shows, such as k123456CNTRL")
	case !isID(id):
		return false, errors.New("revoking an auth key: the ID contains something else than letters, digits, hyphens and underscores")
	}

	err = c.call(ctx, stepDelete, http.MethodDelete, func(ctx context.Context) error {
		err := c.official.Keys().Delete(ctx, id)

		if failure, ok := errors.AsType[*Error](err); ok && failure.step == stepDelete {
			tried = tried || failure.uncertain && failure.Reason != ReasonRateLimited
		}

		return err
	})
	if err != nil {
		return tried, fmt.Errorf("revoking auth key %s: %w", id, err)
	}

	return tried, nil
}

func isID(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// Keys returns the auth keys that the credential can see and that still work, sorted by ID.
func (c *Client) Keys(ctx context.Context) ([]Key, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()

	var keys []Key

	err := c.eachKey(ctx, func(key Key) {
		if !key.Invalid {
			keys = append(keys, key)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("looking for auth keys: %w", err)
	}

	slices.SortFunc(keys, func(a, b Key) int { return strings.Compare(a.ID, b.ID) })

	return keys, nil
}

// FindKeys returns the auth keys with a description that the credential can see, whether they still work or not, sorted by
// ID. It returns what it found also when other keys could not be asked for, together with that error.
func (c *Client) FindKeys(ctx context.Context, description string) ([]Key, error) {
	var found []Key

	err := c.eachKey(ctx, func(key Key) {
		if key.Description == description {
			found = append(found, key)
		}
	})

	slices.SortFunc(found, func(a, b Key) int { return strings.Compare(a.ID, b.ID) })

	if err != nil {
		return found, fmt.Errorf("looking for an auth key: %w", err)
	}

	return found, nil
}

// keysAtATime is how many keys are asked for at a time.
const keysAtATime = 8

// eachKey calls visit with each key, one at a time. Tailscale lists IDs only, Headscale whole keys: what is listed as an ID
// only is asked for. One that cannot be asked for does not keep the others from being visited.
func (c *Client) eachKey(ctx context.Context, visit func(Key)) error {
	list, err := c.listKeys(ctx)
	if err != nil {
		return err
	}

	var (
		group  errgroup.Group
		guard  sync.Mutex
		failed error
	)

	group.SetLimit(keysAtATime)

	for _, listed := range list {
		switch {
		case !isIDOnly(listed):
			if listed.KeyType == "" || listed.KeyType == keyTypeAuth {
				guard.Lock()
				visit(keyOf(listed))
				guard.Unlock()
			}

			continue
		case ctx.Err() != nil:
			continue
		}

		group.Go(func() error {
			key, err := c.getKey(ctx, listed.ID)

			guard.Lock()
			defer guard.Unlock()

			switch {
			case err != nil:
				failed = errors.Join(failed, err)
			case key != nil:
				visit(*key)
			}

			return nil
		})
	}

	_ = group.Wait() // its functions return no error

	return firstOf(failed, ctx.Err())
}

// firstOf returns the first of the errors that are joined in err, and other where there is none.
func firstOf(err, other error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return firstOf(joined.Unwrap()[0], other)
	}

	if err != nil {
		return err
	}

	return other
}

// listKeys returns what the API lists: also keys that belong to the tailnet rather than a user, where the credential may
// see those.
func (c *Client) listKeys(ctx context.Context) ([]tailscale.Key, error) {
	var keys []tailscale.Key

	list := func(all bool) error {
		return c.call(ctx, stepList, http.MethodGet, func(ctx context.Context) error {
			var err error

			keys, err = c.official.Keys().List(ctx, all)

			return err
		})
	}

	err := list(true)

	if failure, ok := errors.AsType[*Error](err); ok && (failure.Status == http.StatusForbidden || failure.Status == http.StatusBadRequest) {
		err = list(false)
	}

	return keys, err
}

const keyTypeAuth = "auth"

// isIDOnly reports whether an entry of a list is no more than the ID of what may be an auth key.
func isIDOnly(key tailscale.Key) bool {
	return key.Description == "" && key.Expires.IsZero() && (key.KeyType == "" || key.KeyType == keyTypeAuth)
}

// getKey returns the auth key of an ID, and nil for what is none, what the credential may not see, and what is gone.
func (c *Client) getKey(ctx context.Context, id string) (*Key, error) {
	var answer *tailscale.Key

	err := c.call(ctx, stepGet, http.MethodGet, func(ctx context.Context) error {
		var err error

		answer, err = c.official.Keys().Get(ctx, id)

		return err
	})

	switch {
	case Is(err, ReasonNotFound), Is(err, ReasonScopeMissing):
		return nil, nil //nolint:nilnil // there is no such key
	case err != nil:
		return nil, err
	case answer.KeyType != "" && answer.KeyType != keyTypeAuth:
		return nil, nil //nolint:nilnil // an API access token, an OAuth client
	}

	key := keyOf(*answer)

	return &key, nil
}

func keyOf(answer tailscale.Key) Key {
	create := answer.Capabilities.Devices.Create

	key := Key{
		ID: answer.ID, Description: answer.Description, Tags: create.Tags,
		Reusable: create.Reusable, Ephemeral: create.Ephemeral, Preauthorized: create.Preauthorized,
		Created: answer.Created, Expires: answer.Expires, Invalid: answer.Invalid || !answer.Revoked.IsZero(),
	}

	if len(key.Tags) == 0 {
		key.Tags = answer.Tags
	}

	return key
}
