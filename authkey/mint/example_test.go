package mint_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

// A key is delivered or revoked, whatever happens in between.
func ExampleMinter_Lease() {
	// A program uses Tailscale's own server, and has its OAuth client in the environment: mint.FromEnv(os.LookupEnv).
	server := tailnettest.NewServer(nil)
	defer server.Close()

	minter, err := mint.FromEnv(server.LookupEnv(server.AddOAuthClient(tailnettest.OAuthClient{Tags: []string{"tag:k8s"}})))
	if err != nil {
		fmt.Println(err)

		return
	}

	join := func(ctx context.Context, deliver func(authkey.Key) error) (err error) {
		lease, err := minter.Lease(ctx, mint.Options{Tags: []string{"k8s"}})
		if err != nil {
			return err
		}

		// does nothing once the key is kept
		defer func() { err = errors.Join(err, lease.Release(ctx)) }()

		if err := deliver(lease.Key()); err != nil {
			return err
		}

		lease.Keep()

		return nil
	}

	ctx := context.Background()

	fmt.Println(join(ctx, func(authkey.Key) error { return errors.New("the node is gone") }), "- keys:", len(server.LiveKeys()))
	fmt.Println(join(ctx, func(authkey.Key) error { return nil }), "- keys:", len(server.LiveKeys()))

	// Output:
	// the node is gone - keys: 0
	// <nil> - keys: 1
}
