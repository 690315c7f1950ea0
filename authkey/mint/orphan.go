package mint

import (
	"context"
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
	found, ok, err := m.search(ctx, request.Description)

	switch {
	case ok:
		orphan = found
	case id != "":
	case err != nil && tailnet.Is(failed, tailnet.ReasonNotTheAPI) && tailnet.Is(err, tailnet.ReasonNotTheAPI):
		// Whatever answers there makes no keys.
		return failed
	case err != nil:
		return &OrphanError{Key: orphan, err: fmt.Errorf("%w; whether a key was made is unknown (%w)", failed, err)}
	default:
		return fmt.Errorf("%w; no key was left behind as far as the API tells; should one described %q turn up, revoke it, else it expires "+
			"after %s", failed, request.Description, request.Expiry)
	}

	if err := m.revoke(ctx, orphan); err != nil {
		return &OrphanError{Key: orphan, err: fmt.Errorf("%w; the key was made all the same, and could not be revoked (%w)", failed, err)}
	}

	return fmt.Errorf("%w; the key was made all the same (key %s) and has been revoked, so none was left behind", failed, orphan.ID)
}

// search looks for the key with a description, a few times with growing waits.
func (m *Minter) search(ctx context.Context, description string) (found tailnet.Key, ok bool, err error) {
	wait := m.Client.RetryDelay
	if wait <= 0 {
		wait = tailnet.DefaultRetryDelay
	}

	for attempt := range searchAttempts {
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
