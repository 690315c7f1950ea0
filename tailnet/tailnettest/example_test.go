package tailnettest_test

import (
	"context"
	"fmt"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

// A program that mints a key must not leave one behind when the answer gets lost on its way.
func Example() {
	server := tailnettest.NewServer(nil) // a test passes its t
	defer server.Close()

	server.Fail(tailnettest.Fault{On: tailnettest.CreateKey, Handled: true, Reset: true})

	minter, err := mint.FromEnv(server.LookupEnv(server.AddAPIToken()))
	if err != nil {
		fmt.Println(err)

		return
	}

	_, err = minter.Lease(context.Background(), mint.Options{Tags: []string{"k8s"}})
	fmt.Println("failed:", err != nil)
	fmt.Println("made:", len(server.Keys()), "left behind:", len(server.LiveKeys()))

	// Output:
	// failed: true
	// made: 1 left behind: 0
}
