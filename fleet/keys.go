package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
)

// Keys is where the keys of nodes come from. Several may be leased at a time.
type Keys interface {
	// Lease returns a key for a node of the plan. One that the caller did not keep is released. [Up] reports a [Refusal] as it
	// is, and any other error as one of the key.
	Lease(ctx context.Context, node int) (Lease, error)
}

// CheckedKeys are keys that know beforehand where there is none.
type CheckedKeys interface {
	Keys
	// Check fails where there is no key for a node of the plan, and costs nothing.
	Check(node int) error
}

// errNoKey is the key of a node whose source is none.
var errNoKey = errors.New("the node is not on the tailnet, and its key is said to be none")

// checkKey fails where keys are known to have none for a node.
func checkKey(keys Keys, node int) error {
	if checked, ok := keys.(CheckedKeys); ok {
		return checked.Check(node)
	}

	return nil
}

// Lease is a key that is delivered, or else taken back. [mint.Lease] is one.
type Lease interface {
	Key() authkey.Key
	// Keep says that the key was delivered.
	Keep()
	// Release takes the key back, unless it was kept. It does so although ctx has ended.
	Release(ctx context.Context) error
}

// GivenKey returns keys that are there already: one for all nodes. A key that is not reusable can be leased once.
func GivenKey(key authkey.Key, reusable bool) Keys { return &givenKey{key: key, reusable: reusable} }

type givenKey struct {
	key      authkey.Key
	reusable bool

	guard sync.Mutex
	used  bool
}

// Check implements [CheckedKeys].
func (g *givenKey) Check(int) error {
	if g.key.IsZero() {
		return errNoKey
	}

	return nil
}

func (g *givenKey) Lease(context.Context, int) (Lease, error) {
	g.guard.Lock()
	defer g.guard.Unlock()

	if g.used && !g.reusable && !g.key.IsZero() {
		return nil, errors.New("the auth key was given to another node: a key that is not reusable serves one")
	}

	g.used = true

	return givenLease{g.key}, nil
}

type givenLease struct{ key authkey.Key }

func (l givenLease) Key() authkey.Key            { return l.key }
func (givenLease) Keep()                         {}
func (givenLease) Release(context.Context) error { return nil }

// MintedKeys returns keys that are made when they are needed, each with the options that the function says for the node.
// OnLease, if not nil, is told of each.
func MintedKeys(minter *mint.Minter, options func(node int) mint.Options, onLease func(node int, lease *mint.Lease)) Keys {
	return &mintedKeys{minter, options, onLease}
}

type mintedKeys struct {
	minter  *mint.Minter
	options func(node int) mint.Options
	onLease func(node int, lease *mint.Lease)
}

func (m *mintedKeys) Lease(ctx context.Context, node int) (Lease, error) {
	lease, err := m.minter.Lease(ctx, m.options(node))
	if err != nil {
		return nil, err
	}

	if m.onLease != nil {
		m.onLease(node, lease)
	}

	return lease, nil
}

// release takes back what was not kept, and joins the failure to do so to err.
func release(ctx context.Context, lease Lease, err error) error {
	if lease == nil {
		return err
	}

	if failed := lease.Release(ctx); failed != nil {
		return errors.Join(err, fmt.Errorf("its key is not taken back: %w", failed))
	}

	return err
}
