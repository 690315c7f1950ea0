package tailnet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"tailscale.com/client/tailscale/v2"
)

// Keys returns the auth keys that the credential can see and that still work, sorted by ID.
func (c *Client) Keys(ctx context.Context) ([]Key, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()

	var keys []Key

	err := c.eachKey(ctx, func(string) bool { return true }, func(key Key) {
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

	// among many keys of ours, each need not be asked for what it is called
	mayHave := func(id string) bool {
		known, ok := c.made.Load(id)

		return !ok || known == description
	}

	err := c.eachKey(ctx, mayHave, func(key Key) {
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
// only is asked for, where its ID is wanted. One that cannot be asked for does not keep the others from being visited.
func (c *Client) eachKey(ctx context.Context, wanted func(id string) bool, visit func(Key)) error {
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
		case ctx.Err() != nil, !wanted(listed.ID):
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
