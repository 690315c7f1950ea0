package mint

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

// Minter makes auth keys in a tailnet. It may be used by several goroutines at a time.
type Minter struct {
	// Client is the tailnet. A call of the Minter takes at most the Timeout of its Client, of which a third is kept for a
	// key whose creation got no clear answer.
	Client *tailnet.Client
}

// FromEnv returns a [Minter] for the tailnet of [tailnet.FromEnv].
func FromEnv(lookup func(string) (string, bool)) (*Minter, error) {
	client, err := tailnet.FromEnv(lookup)
	if err != nil {
		return nil, err
	}

	return &Minter{Client: client}, nil
}

// Check reports everything that [Minter.Lease] would refuse before it makes any call, in one joined error.
func (m *Minter) Check(options Options) error {
	_, err := m.prepare(options)

	return err
}

// Lease makes a key. Nothing is sent when the options or the Client's fields have faults; the error names all of them.
//
// An error means that the caller has no key and, unless it is an [OrphanError], that none was left behind as far as the
// server's list of keys tells. When ctx ends while the server may be making the key, Lease takes up to a third of the
// Client's Timeout longer, to find and revoke it.
func (m *Minter) Lease(ctx context.Context, options Options) (*Lease, error) {
	options, err := m.prepare(options)
	if err != nil {
		return nil, err
	}

	request := options.request()

	limited, cancel := context.WithTimeout(ctx, m.timeout()-m.cleanup())
	defer cancel()

	created, err := m.Client.CreateKey(limited, request)
	if err == nil {
		return m.alone(ctx, &Lease{minter: m, created: created})
	}

	err = fmt.Errorf("minting an auth key: %w", err)

	if failure, ok := errors.AsType[*tailnet.Error](err); ok && failure.Uncertain() {
		return nil, m.takeBack(ctx, created, request, err)
	}

	return nil, err
}

// prepare returns the options with their defaults, or all faults of the options and the Client's fields.
func (m *Minter) prepare(options Options) (Options, error) {
	if m.Client == nil {
		return options, tailnet.ErrNoCredentials
	}

	untagged := len(options.Tags) == 0
	options, fault := options.normalize()

	if kind := m.Client.Credential.Kind(); untagged && kind.NeedsTags() {
		fault = errors.Join(fault, fmt.Errorf("the key has no tags: made with a credential of the kind %q it belongs to no user, and must have "+
			"exactly the client's tags, or tags that those own in the policy file", kind))
	}

	return options, errors.Join(m.Client.Check(), fault)
}

func (m *Minter) timeout() time.Duration {
	if m.Client.Timeout <= 0 {
		return tailnet.DefaultTimeout
	}

	return m.Client.Timeout
}

// cleanup is the part of the time that is kept for a key whose creation got no clear answer.
func (m *Minter) cleanup() time.Duration {
	const part = 3

	return m.timeout() / part
}
