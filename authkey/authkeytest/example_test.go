package authkeytest_test

import (
	"context"
	"fmt"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/authkey/authkeytest"
)

// A program that mints a key must not leave one behind when the answer gets lost on its way.
func Example() {
	server := authkeytest.NewServer()
	defer server.Close()

	server.Fail(authkeytest.Fault{On: authkeytest.CreateKey, Handled: true, Reset: true})

	credential, err := authkey.APIToken(server.AddAPIToken())
	if err != nil {
		fmt.Println(err)

		return
	}

	minter := &authkey.Minter{Credential: credential, BaseURL: server.URL}

	_, err = minter.Mint(context.Background(), authkey.Options{Tags: []string{"k8s"}})
	fmt.Println("failed:", err != nil)
	fmt.Println("made:", len(server.Keys()), "left behind:", len(server.LiveKeys()))

	// Output:
	// failed: true
	// made: 1 left behind: 0
}
