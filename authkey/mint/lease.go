package mint

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

// Lease is a key that was made and is revoked by [Lease.Release] unless [Lease.Keep] was called. It is made by
// [Minter.Lease], prints without the key, and may be used by several goroutines at a time.
type Lease struct {
	minter  *Minter
	created tailnet.CreatedKey
	warning error

	guard sync.Mutex
	ended bool
}

// Key is the key itself.
func (l *Lease) Key() authkey.Key { return l.created.Secret }

// ID is what [tailnet.Client.RevokeKey] takes. It is no secret.
func (l *Lease) ID() string { return l.created.ID }

// Expires is when the key stops working, by the server's clock.
func (l *Lease) Expires() time.Time { return l.created.Expires }

// Details is what the tailnet knows of the key: tags, expiry, description.
func (l *Lease) Details() tailnet.Key { return l.created.Key }

// Warning is an [OrphanError] of a key that may have been made beside this one, and nil where that is not so. It is not nil
// only when the server answered that a limit was reached before it made this one, and then could not be asked.
func (l *Lease) Warning() error { return l.warning }

// Keep says that the key was delivered: from now on [Lease.Release] does nothing.
func (l *Lease) Keep() {
	l.guard.Lock()
	defer l.guard.Unlock()

	l.ended = true
}

// Kept reports whether Keep was called, or Release has succeeded: whether there is nothing left to release.
func (l *Lease) Kept() bool {
	l.guard.Lock()
	defer l.guard.Unlock()

	return l.ended
}

// Release revokes the key, unless it is kept or was released. It does so although ctx may have ended, within the Timeout of
// the [tailnet.Client]. A Release of the nil Lease does nothing.
//
// The error is an [OrphanError]: the key may be alive, and Release may be called again.
func (l *Lease) Release(ctx context.Context) error {
	if l == nil {
		return nil
	}

	l.guard.Lock()
	defer l.guard.Unlock()

	if l.ended {
		return nil
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.minter.timeout())
	defer cancel()

	if err := l.minter.Client.TakeBack(ctx, l.created.Key); err != nil {
		return &OrphanError{Key: l.created.Key, err: err}
	}

	l.ended = true

	return nil
}

// ReleaseAll releases leases, all at the same time, so that it takes no longer than one. It returns what could not be
// revoked, in the order of the leases: of a [Lease], one [OrphanError] each.
func ReleaseAll[L interface {
	Release(ctx context.Context) error
}](ctx context.Context, leases ...L) []error {
	failed := make([]error, len(leases))

	var group errgroup.Group

	for i, lease := range leases {
		group.Go(func() error {
			failed[i] = lease.Release(ctx)

			return nil
		})
	}

	_ = group.Wait() // its functions return no error

	var errs []error

	for _, err := range failed {
		if err != nil {
			errs = append(errs, err)
		}
	}

	return errs
}
