package authkey

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"tailscale.com/client/tailscale/v2"
)

// looks is how often a key is looked for whose creation got no clear answer: the server may still be making it.
const looks = 3

// takeBack finds the key whose creation failed without a clear answer, revokes it, and returns the error of the
// creation with what became of the key.
func (m *Minter) takeBack(ctx context.Context, description string, expiry time.Duration, failure *APIError) error {
	// The caller's context may have ended, which may be why there was no answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.cleanup())
	defer cancel()

	wait := m.retrier().delay

	var (
		id  string
		err error
	)

	for look := range looks {
		if look > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}

			wait *= 2
		}

		if id, err = m.find(ctx, description); id != "" || err != nil {
			break
		}
	}

	failed := fmt.Errorf("minting an auth key: %w", failure)

	var search *APIError
	if failure.notAPI && errors.As(err, &search) && search.notAPI {
		// Whatever answers there makes no keys.
		return failed
	}

	switch {
	case err != nil:
		return fmt.Errorf("%w; whether a key was made is unknown (%w): look for a key described %q and revoke it, else it expires after %s",
			failed, err, description, expiry)
	case id == "":
		return fmt.Errorf("%w; no key was left behind as far as the API tells; should one described %q turn up, revoke it, else it expires "+
			"after %s", failed, description, expiry)
	}

	if err := m.revoke(ctx, id); err != nil && !errors.Is(err, ErrKeyNotFound) {
		return fmt.Errorf("%w; the key was made all the same, and could not be revoked (%w): revoke key %s, described %q, else it expires after %s",
			failed, err, id, description, expiry)
	}

	return fmt.Errorf("%w; the key was made all the same (key %s) and has been revoked, so none was left behind", failed, id)
}

// revokeAfter revokes a key although ctx may have ended.
func (m *Minter) revokeAfter(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.cleanup())
	defer cancel()

	return m.revoke(ctx, id)
}

// find returns the ID of the key with this description, or "".
func (m *Minter) find(ctx context.Context, description string) (string, error) {
	keys, err := m.list(ctx)
	if err != nil {
		return "", err
	}

	// Tailscale lists IDs only, Headscale whole keys.
	var bare []string

	for _, key := range keys {
		switch {
		case key.Description == description:
			return key.ID, nil
		case isBare(key):
			bare = append(bare, key.ID)
		}
	}

	return m.findAmong(ctx, bare, description)
}

// list returns the keys that the credential can see: also those that belong to the tailnet rather than a user, where it
// may.
func (m *Minter) list(ctx context.Context) ([]tailscale.Key, error) {
	ctx = withStep(ctx, stepList)

	var keys []tailscale.Key

	list := func(all bool) error {
		return m.retrier().do(ctx, func() error {
			var err error

			keys, err = m.client.Keys().List(ctx, all)

			return m.understood(err, stepList, http.MethodGet)
		})
	}

	err := list(true)

	var failure *APIError
	if errors.As(err, &failure) && (failure.Status == http.StatusForbidden || failure.Status == http.StatusBadRequest) {
		err = list(false)
	}

	return keys, err
}

// isBare reports whether an entry of a list is no more than the ID of what may be an auth key. Tailscale's lists are of
// such entries, Headscale's have whole keys.
func isBare(key tailscale.Key) bool {
	return key.Description == "" && (key.KeyType == "" || key.KeyType == "auth")
}

// keysAtATime is how many keys are asked for at a time.
const keysAtATime = 8

// findAmong asks for the keys of these IDs, a few at a time, until one has the description.
func (m *Minter) findAmong(ctx context.Context, ids []string, description string) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	var (
		group  errgroup.Group
		guard  sync.Mutex
		found  string
		failed error
	)

	group.SetLimit(keysAtATime)

	for _, id := range ids {
		if ctx.Err() != nil {
			break
		}

		group.Go(func() error {
			key, err := m.whole(ctx, id)

			guard.Lock()
			defer guard.Unlock()

			switch {
			case key != nil && key.Description == description:
				found = id

				cancel()
			case err != nil && failed == nil && found == "":
				failed = err
			}

			return nil
		})
	}

	_ = group.Wait() // one that cannot be asked for does not keep the others from being the one

	if found != "" {
		return found, nil
	}

	return "", errors.Join(failed, ctx.Err())
}

// whole returns the key of an ID as the API describes it, and nil for one that the credential may not see, or that is gone.
func (m *Minter) whole(ctx context.Context, id string) (*tailscale.Key, error) {
	ctx = withStep(ctx, stepGet)

	var key *tailscale.Key

	err := m.retrier().do(ctx, func() error {
		var err error

		key, err = m.client.Keys().Get(ctx, id)

		return m.understood(err, stepGet, http.MethodGet)
	})

	switch {
	case isStatus(err, http.StatusForbidden), isStatus(err, http.StatusNotFound):
		return nil, nil //nolint:nilnil // there is no such key
	case err != nil:
		return nil, err
	}

	return key, nil
}
