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

		switch {
		case Is(err, ReasonRateLimited):
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

	switch {
	case err != nil:
		fault = "what the answer has as the key cannot be used: " + err.Error()
	case fault == "" && !namesID(answer.Key, answer.ID):
		fault = "the answer has the ID of another key"
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

func sameTags(a, b []string) bool {
	sorted := func(tags []string) []string { return slices.Compact(slices.Sorted(slices.Values(tags))) }

	return slices.Equal(sorted(a), sorted(b))
}

// namesID reports whether a key can be that of an ID. Those of Tailscale begin with it; others do not tell.
func namesID(key, id string) bool {
	const suffix = "CNTRL"

	named, _, ok := strings.Cut(strings.TrimPrefix(key, secret.AuthKey), "-")

	return !ok || !strings.HasSuffix(named, suffix) || !strings.HasSuffix(id, suffix) || named == id
}

// RevokeKey takes back the key of this ID. Devices that it registered stay registered.
//
// When the tailnet has no such key, that is an error with [ReasonNotFound]. That may be what a caller wants, and it may be a
// typing error that leaves the right key alive. It is no error when RevokeKey itself deleted the key and only the answer
// got lost.
//
// A caller that revokes because its context ended must not pass that context: see [context.WithoutCancel].
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	id = strings.TrimSpace(id)

	switch {
	case id == "":
		return errors.New("revoking an auth key: the ID is empty")
	case secret.Looks(id):
		return errors.New("revoking an auth key: this is a key and not its ID: the ID is what the admin console shows, such as k123456CNTRL")
	case !isID(id):
		return errors.New("revoking an auth key: the ID contains something else than letters, digits, hyphens and underscores")
	}

	// Whether an earlier attempt may have deleted the key, so that the next one does not find it.
	tried := false

	err := c.call(ctx, stepDelete, http.MethodDelete, func(ctx context.Context) error {
		err := c.official.Keys().Delete(ctx, id)

		if failure, ok := errors.AsType[*Error](err); ok && failure.step == stepDelete {
			if tried && failure.Reason == ReasonNotFound {
				return nil
			}

			tried = tried || failure.uncertain && failure.Reason != ReasonRateLimited
		}

		return err
	})
	if err != nil {
		return fmt.Errorf("revoking auth key %s: %w", id, err)
	}

	return nil
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

	err := c.eachKey(ctx, func(key Key) bool {
		if !key.Invalid {
			keys = append(keys, key)
		}

		return false
	})
	if err != nil {
		return nil, fmt.Errorf("looking for auth keys: %w", err)
	}

	slices.SortFunc(keys, func(a, b Key) int { return strings.Compare(a.ID, b.ID) })

	return keys, nil
}

// FindKey returns the auth key with a description, whether it still works or not. The second result tells whether there is
// one that the credential can see; one that can be asked for wins over the error of one that cannot.
func (c *Client) FindKey(ctx context.Context, description string) (Key, bool, error) {
	var found *Key

	err := c.eachKey(ctx, func(key Key) bool {
		if found == nil && key.Description == description {
			found = &key
		}

		return found != nil
	})

	if found != nil {
		return *found, true, nil
	}

	if err != nil {
		return Key{}, false, fmt.Errorf("looking for an auth key: %w", err)
	}

	return Key{}, false, nil
}

// keysAtATime is how many keys are asked for at a time.
const keysAtATime = 8

// eachKey calls visit with each key, one at a time, until it returns true. Tailscale lists IDs only, Headscale whole keys:
// what is listed as an ID only is asked for.
func (c *Client) eachKey(ctx context.Context, visit func(Key) (done bool)) error {
	list, err := c.listKeys(ctx)
	if err != nil {
		return err
	}

	var ids []string

	for _, key := range list {
		switch {
		case isIDOnly(key):
			ids = append(ids, key.ID)
		case key.KeyType == "" || key.KeyType == keyTypeAuth:
			if visit(keyOf(key)) {
				return nil
			}
		}
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	var (
		group  errgroup.Group
		guard  sync.Mutex
		done   bool
		failed error
	)

	group.SetLimit(keysAtATime)

	for _, id := range ids {
		if ctx.Err() != nil {
			break
		}

		group.Go(func() error {
			key, err := c.getKey(ctx, id)

			guard.Lock()
			defer guard.Unlock()

			switch {
			case done:
			case err != nil:
				failed = errors.Join(failed, err)
			case key != nil && visit(*key):
				done = true

				cancel()
			}

			return nil // one that cannot be asked for does not keep the others from being the one
		})
	}

	_ = group.Wait() // its functions return no error

	if done {
		return nil
	}

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
