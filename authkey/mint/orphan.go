package mint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

// OrphanError tells of a key that may be alive although nobody has it: it could not be revoked, or it is not known
// whether it was made.
type OrphanError struct {
	// Key is what is known of the key. Its ID is empty where only the description is known.
	Key tailnet.Key

	err error
}

// Error says why the key could not be revoked and how it is recognised.
func (e *OrphanError) Error() string {
	name := "key " + e.Key.ID
	if e.Key.ID == "" {
		name = "a key"
	}

	return fmt.Sprintf("%v: revoke %s described %q, else it expires at %s", e.err, name, e.Key.Description, e.Key.Expires.UTC().Format(time.RFC3339))
}

// Unwrap returns why the key was not delivered and why it could not be revoked.
func (e *OrphanError) Unwrap() error { return e.err }

// searchAttempts is how often we search for a key whose creation got no clear answer: the server may still be creating it.
const searchAttempts = 3

// takeBack finds the key whose creation failed without a clear answer, revokes it, and returns the error of the creation
// with what became of the key. A creation that was repeated may have made several, of which the server may still be making
// the last one: then the description is told too. created is what an answer that cannot be used said.
func (m *Minter) takeBack(ctx context.Context, created tailnet.CreatedKey, request tailnet.KeyRequest, failed error) error {
	id := created.ID

	// The caller's context may have ended, which may be why there was no answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.cleanup())
	defer cancel()

	attempts := searchAttempts
	if tailnet.Is(failed, tailnet.ReasonRateLimited) {
		attempts = 1 // most likely nothing was made, and asking more does not help
	}

	// The ID of an answer that cannot be used may be wrong too.
	found, err := m.search(ctx, request.Description, attempts)

	switch {
	case len(found) > 0:
	case id != "" && m.Client.RevokeKey(ctx, id) == nil:
		return revoked(failed, true, request, id)
	case alike(failed, err):
		return fmt.Errorf("%w; should a key described %q turn up, revoke it, else it expires after %s", failed, request.Description, request.Expiry)
	case err != nil:
		orphan := tailnet.Key{ID: id, Description: request.Description, Expires: m.Client.Now().Add(request.Expiry)}

		return &OrphanError{Key: orphan, err: fmt.Errorf("%w; whether a key was made is unknown (%w)", failed, err)}
	default:
		return fmt.Errorf("%w; no key was left behind as far as the API tells; should one described %q turn up, revoke it, else it expires "+
			"after %s", failed, request.Description, request.Expiry)
	}

	var ids []string

	for _, key := range found {
		if err := m.Client.TakeBack(ctx, key); err != nil {
			return &OrphanError{Key: key, err: fmt.Errorf("%w; the key was made all the same, and could not be revoked (%w)", failed, err)}
		}

		ids = append(ids, key.ID)
	}

	return revoked(failed, created.Repeated, request, ids...)
}

// revoked says that keys were revoked, which is all that there were unless another may come: behind a creation that was
// repeated, or where the server's list did not have the key of its answer.
func revoked(failed error, another bool, request tailnet.KeyRequest, ids ...string) error {
	end := "so none was left behind"
	if another {
		end = fmt.Sprintf("and should another one described %q turn up, revoke it, else it expires after %s", request.Description, request.Expiry)
	}

	return fmt.Errorf("%w; the key was made all the same (key %s) and has been revoked, %s", failed, strings.Join(ids, ", key "), end)
}

// alike reports whether the search failed as the creation did because something else than the API answers both: the
// failure of the creation says all that there is to say.
func alike(failed, search error) bool {
	for _, reason := range []tailnet.Reason{tailnet.ReasonNotTheAPI, tailnet.ReasonNotSupported} {
		if tailnet.Is(failed, reason) && tailnet.Is(search, reason) {
			return true
		}
	}

	return false
}

// alone returns the lease once there is no other key of its description: one that the server made although it answered that
// a limit was reached. No server is known that does so, and a search that fails is no reason to do without the key: then
// the lease has a warning.
func (m *Minter) alone(ctx context.Context, lease *Lease) (*Lease, error) {
	if !lease.created.Repeated {
		return lease, nil
	}

	limited, cancel := context.WithTimeout(ctx, m.cleanup())
	defer cancel()

	const rounds = 3 // what was revoked is looked for again

	for round := range rounds {
		doubles, err := m.doubles(limited, lease)

		switch {
		case err != nil:
			second := tailnet.Key{Description: lease.created.Description, Expires: lease.created.Expires}
			lease.warning = &OrphanError{Key: second, err: fmt.Errorf("the server answered that a limit was reached, and whether it made a key all the same "+
				"is unknown (%w)", err)}

			return lease, nil
		case len(doubles) == 0:
			return lease, nil
		}

		for _, key := range doubles {
			if err := m.Client.RevokeKey(limited, key.ID); err != nil && round == rounds-1 {
				err = &OrphanError{Key: key, err: fmt.Errorf("minting an auth key: the server made two, and one could not be revoked (%w)", err)}

				return nil, errors.Join(err, lease.Release(ctx))
			}
		}
	}

	return lease, nil
}

// doubles returns the keys beside that of the lease that have its description.
func (m *Minter) doubles(ctx context.Context, lease *Lease) ([]tailnet.Key, error) {
	found, err := m.Client.FindKeys(ctx, lease.created.Description)

	return slices.DeleteFunc(found, func(key tailnet.Key) bool { return key.Invalid || key.ID == lease.created.ID }), err
}

// search looks for keys with a description, a few times with growing waits until there is one.
func (m *Minter) search(ctx context.Context, description string, attempts int) (found []tailnet.Key, err error) {
	wait := m.Client.RetryDelay
	if wait <= 0 {
		wait = tailnet.DefaultRetryDelay
	}

	for attempt := range attempts {
		if attempt > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}

			wait *= 2
		}

		if found, err = m.Client.FindKeys(ctx, description); len(found) > 0 || err != nil {
			break
		}
	}

	return found, err
}
