package mint

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

// OrphanError tells of a key that may be alive although nobody has it: it could not be taken back, or it is not known
// whether it was made.
type OrphanError struct {
	// Key is what is known of the key. Its ID is empty where only the description is known.
	Key tailnet.Key

	err error
}

// Error says why the key could not be taken back and how it is recognised.
func (e *OrphanError) Error() string {
	name := "key " + e.Key.ID
	if e.Key.ID == "" {
		name = "a key"
	}

	return fmt.Sprintf("%v: revoke %s described %q, else it expires at %s", e.err, name, e.Key.Description, e.Key.Expires.UTC().Format(time.RFC3339))
}

// Unwrap returns why the key was not delivered and why it could not be taken back.
func (e *OrphanError) Unwrap() error { return e.err }

// searchAttempts is how often we search for a key whose creation got no clear answer: the server may still be creating it.
const searchAttempts = 3

// takeBack finds the key whose creation failed without a clear answer, revokes it, and returns the error of the
// creation with what became of the key. id is what an answer that cannot be used said, or "".
func (m *Minter) takeBack(ctx context.Context, id string, request tailnet.KeyRequest, failed error) error {
	// The caller's context may have ended, which may be why there was no answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.cleanup())
	defer cancel()

	orphan := tailnet.Key{ID: id, Description: request.Description, Expires: m.Client.Now().Add(request.Expiry)}

	// The ID of an answer that cannot be used may be wrong too, and be that of another key.
	attempts := searchAttempts
	if tailnet.Is(failed, tailnet.ReasonRateLimited) {
		attempts = 1 // most likely nothing was made, and asking more does not help
	}

	found, ok, err := m.search(ctx, request.Description, attempts)

	switch {
	case ok:
		orphan = found
	case id != "":
	case alike(failed, err):
		return fmt.Errorf("%w; should a key described %q turn up, revoke it, else it expires after %s", failed, request.Description, request.Expiry)
	case err != nil:
		return &OrphanError{Key: orphan, err: fmt.Errorf("%w; whether a key was made is unknown (%w)", failed, err)}
	default:
		return fmt.Errorf("%w; no key was left behind as far as the API tells; should one described %q turn up, revoke it, else it expires "+
			"after %s", failed, request.Description, request.Expiry)
	}

	if err := m.revoke(ctx, orphan); err != nil {
		return &OrphanError{Key: orphan, err: fmt.Errorf("%w; the key was made all the same, and could not be revoked (%w)", failed, err)}
	}

	if failure, ok := errors.AsType[*tailnet.Error](failed); ok && failure.Attempts > 1 {
		if err := m.revokeOthers(ctx, orphan, failed); err != nil {
			return err
		}
	}

	return fmt.Errorf("%w; the key was made all the same (key %s) and has been revoked, so none was left behind", failed, orphan.ID)
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

// alone returns the lease once there is no other key of its description.
func (m *Minter) alone(ctx context.Context, lease *Lease) (*Lease, error) {
	if !lease.created.Repeated {
		return lease, nil
	}

	limited, cancel := context.WithTimeout(ctx, m.cleanup())
	defer cancel()

	if err := m.revokeOthers(limited, lease.created.Key, errors.New("minting an auth key: the server made two")); err != nil {
		return nil, errors.Join(err, lease.Release(ctx))
	}

	return lease, nil
}

// revokeOthers revokes other keys of a key's description: those that a server made although it answered that a limit was
// reached. No server is known that does so, and a search that fails is no reason to do without the key.
func (m *Minter) revokeOthers(ctx context.Context, of tailnet.Key, failed error) error {
	keys, err := m.Client.Keys(ctx)
	if err != nil {
		return nil //nolint:nilerr // see above
	}

	for _, key := range keys {
		if key.Description != of.Description || key.ID == of.ID {
			continue
		}

		if err := m.Client.RevokeKey(ctx, key.ID); err != nil && !tailnet.Is(err, tailnet.ReasonNotFound) {
			return &OrphanError{Key: key, err: fmt.Errorf("%w, and one could not be revoked (%w)", failed, err)}
		}
	}

	return nil
}

// search looks for the key with a description, a few times with growing waits.
func (m *Minter) search(ctx context.Context, description string, attempts int) (found tailnet.Key, ok bool, err error) {
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

		if found, ok, err = m.Client.FindKey(ctx, description); ok || err != nil {
			break
		}
	}

	return found, ok, err
}

// revoke revokes a key. One that the tailnet does not know by its ID is not taken for gone: the answer to its creation may
// have had the wrong one.
func (m *Minter) revoke(ctx context.Context, key tailnet.Key) error {
	err := m.Client.RevokeKey(ctx, key.ID)
	if !tailnet.Is(err, tailnet.ReasonNotFound) || key.Description == "" {
		return err
	}

	found, ok, err := m.Client.FindKey(ctx, key.Description)

	switch {
	case err != nil:
		return err
	case !ok || found.Invalid || found.ID == key.ID:
		return nil
	}

	if err := m.Client.RevokeKey(ctx, found.ID); !tailnet.Is(err, tailnet.ReasonNotFound) {
		return err
	}

	return nil
}
