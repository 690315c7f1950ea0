package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/fleet"
)

// mintedLease is a key that was made, and is revoked unless it is kept. It says what became of it.
type mintedLease struct {
	*mint.Lease

	program *program
	quiet   bool
	// ended tells that the key is kept or revoked, or that its end was reported.
	ended func()
}

var _ fleet.Lease = (*mintedLease)(nil)

// Keep says that the key was delivered.
func (l *mintedLease) Keep() {
	l.Lease.Keep()
	l.ended()
}

// Release revokes the key unless it is kept, and says so. The run may have been interrupted, so it does not end with ctx.
func (l *mintedLease) Release(ctx context.Context) error {
	if l.Kept() {
		return nil
	}

	defer l.ended()

	err := l.Lease.Release(ctx)
	if orphan, ok := errors.AsType[*mint.OrphanError](err); ok {
		return fmt.Errorf("the key was not delivered and could not be revoked, revoke it with talos-tsbridge key revoke %s (it is described %q): %w",
			l.ID(), orphan.Key.Description, errors.Unwrap(orphan))
	}

	if err == nil && !l.quiet {
		l.program.note("revoked auth key " + l.ID() + ", because it was not delivered")
	}

	return err
}

// releasing releases leases at the same time, all that are not kept, and adds to err what could not be revoked.
func releasing(ctx context.Context, err error, leases ...fleet.Lease) error {
	return errors.Join(append([]error{err}, mint.ReleaseAll(ctx, leases...)...)...)
}
