// Command fleet-program makes the patches of three nodes in a program of one's own, with a key for each. All keys are taken
// back unless all patches were delivered.
package main

import (
	"bytes"
	"context"
	_ "embed" // the nodes
	"fmt"
	"io"
	"os"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/fleet"
)

//go:embed bridge.yaml
var nodes []byte

func main() {
	if err := run(context.Background(), os.LookupEnv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, lookup func(string) (string, bool), to io.Writer) error {
	file, err := fleet.Parse("bridge.yaml", nodes)
	if err != nil {
		return err // every fault with its line and column
	}

	plan, err := file.Plan(fleet.PlanOptions{}) // nothing is minted before all of it is known to be right
	if err != nil {
		return err
	}

	minter, err := mint.FromEnv(lookup)
	if err != nil {
		return err
	}

	var leases []*mint.Lease

	defer func() { // what is kept by then stays, the rest is revoked, also where ctx has ended
		for _, err := range mint.ReleaseAll(ctx, leases...) {
			fmt.Fprintln(os.Stderr, err)
		}
	}()

	var all bytes.Buffer

	for i := range plan.Len() {
		lease, err := minter.Lease(ctx, mint.Options{Tags: plan.Settings(i).AdvertiseTags})
		if err != nil {
			return err
		}

		leases = append(leases, lease)

		made, err := plan.Patch(i, lease.Key())
		if err != nil {
			return err
		}

		text, err := made.Bytes()
		if err != nil {
			return err
		}

		fmt.Fprintf(&all, "# %s\n%s", plan.Node(i).Name, text)
	}

	if _, err := all.WriteTo(to); err != nil {
		return err
	}

	for _, lease := range leases {
		lease.Keep()
	}

	return nil
}
