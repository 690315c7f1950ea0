package authkey_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/authkey/authkeytest"
)

func ExampleMinter() {
	// A program uses Tailscale's own server, and has its OAuth client in the environment.
	server := authkeytest.NewServer()
	defer server.Close()

	id, secret := server.AddOAuthClient(authkeytest.OAuthClient{Tags: []string{"tag:k8s"}})
	environment := map[string]string{
		"TAILSCALE_OAUTH_CLIENT_ID":     id,
		"TAILSCALE_OAUTH_CLIENT_SECRET": secret,
		"TAILSCALE_BASE_URL":            server.URL,
	}

	minter, err := authkey.MinterFromEnv(func(name string) (string, bool) {
		value, ok := environment[name]

		return value, ok
	})
	if errors.Is(err, authkey.ErrNoCredentials) {
		fmt.Println("no credentials: give an auth key instead")

		return
	} else if err != nil {
		fmt.Println(err)

		return
	}

	ctx := context.Background()

	minted, err := minter.Mint(ctx, authkey.Options{Tags: []string{"k8s"}})
	if err != nil {
		fmt.Println(err)

		return
	}

	fmt.Println(minted.Key, minted.Tags, "reusable:", minted.Reusable)

	// What cannot be delivered is taken back, also when the program is being interrupted.
	err = minter.Revoke(context.WithoutCancel(ctx), minted.ID)
	fmt.Println("left behind:", len(server.LiveKeys()), err)

	// Output:
	// [redacted] [tag:k8s] reusable: false
	// left behind: 0 <nil>
}
