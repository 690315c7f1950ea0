// Command library makes a patch in a program of one's own and puts its documents into a config container, as a program
// that generates whole machine configs would.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/siderolabs/talos/pkg/machinery/config/container"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	key, err := authkey.FromEnv().Read(context.Background(), authkey.Input{})
	if err != nil {
		return err
	}

	p, err := patch.New(
		patch.WithAuthKey(key),
		patch.WithAdvertiseTags("tag:k8s"),
		patch.WithNodeIPSubnets("192.168.1.0/24"),
	)
	if err != nil {
		return err // every fault, a line each
	}

	documents, err := p.Documents()
	if err != nil {
		return err
	}

	config, err := container.New(documents...)
	if err != nil {
		return err
	}

	text, err := config.EncodeBytes(encoder.WithComments(encoder.CommentsDisabled))
	if err != nil {
		return err
	}

	_, err = os.Stdout.Write(text)

	return err
}
