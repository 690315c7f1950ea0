package attack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"
	"testing"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

// The life of a key in the library itself, where a run takes no process: whatever the API does, a key is the caller's, or
// revoked, or named by the error.
func TestKeyLife(t *testing.T) {
	t.Parallel()
	attack(t, "key life, API faults", func(ctx context.Context, r *run) {
		const times = 20 // without a process, a run is cheap

		for range times {
			keyLife(ctx, r)
		}
	})
}

func keyLife(ctx context.Context, r *run) {
	server, err := newFaultServer(r)
	if err != nil {
		return
	}

	defer server.close()

	credential, err := tailnet.APIToken(serverCredential)
	if err != nil {
		r.lost(err.Error())

		return
	}

	log.SetOutput(io.Discard) // Go's client logs what comes unasked

	const timeout = 600 * time.Millisecond

	var said strings.Builder

	minter := &mint.Minter{Client: &tailnet.Client{
		Credential: credential, BaseURL: "http://" + server.listener.Addr().String(), Timeout: timeout, RetryDelay: time.Millisecond,
		OnRetry: func(err error, _ time.Duration) { fmt.Fprintf(&said, "%v %+v\n", err, err) },
	}}

	server.guard.Lock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	if r.chance(4) {
		time.AfterFunc(time.Duration(r.IntN(300))*time.Millisecond, cancel)
	}

	keep := r.chance(2)
	server.guard.Unlock()

	started := time.Now()
	lease, err := minter.Lease(ctx, mint.Options{})

	delivered := ""

	if lease != nil {
		err = lease.Warning()

		if keep {
			delivered = lease.Key().Reveal()

			lease.Keep()
		}

		err = errors.Join(err, lease.Release(ctx))
	}

	if took := time.Since(started); took > hang {
		r.hung(fmt.Sprintf("took %s", took))
	}

	if err != nil {
		fmt.Fprintf(&said, "%v %+v %#v", err, err, err)
	}

	text := said.String()

	if strings.Contains(text, "Canary") {
		r.leaked("the credential: " + text)
	}

	for _, key := range server.all() {
		switch {
		case strings.Contains(text, key.secret):
			r.leaked("a key: " + text)
		case key.revoked, key.secret == delivered:
		case strings.Contains(text, key.id), key.description != "" && strings.Contains(text, key.description):
		default:
			r.orphaned(fmt.Sprintf("key %s, described %q: %s", key.id, key.description, text))
		}
	}
}
