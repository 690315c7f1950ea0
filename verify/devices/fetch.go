package devices

import (
	"context"
	"slices"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

// Tailnet is what the API says.
type Tailnet struct {
	// Devices are all of the tailnet, sorted by name.
	Devices []tailnet.Device `json:"devices"`
	// UnusedKeys are auth keys of ours that can still register a node.
	UnusedKeys []tailnet.Key `json:"unusedKeys,omitempty"`
	// Unread says why the keys could not be read, if so.
	Unread string `json:"unread,omitempty"`
}

// Fetch asks the API for the devices of the tailnet and for the keys that were minted with a description. That the credential
// may not read keys is no error, but said in [Tailnet.Unread].
func Fetch(ctx context.Context, minter *mint.Minter, description string) (*Tailnet, error) {
	all, err := minter.Client.Devices(ctx)
	if err != nil {
		return nil, err
	}

	fetched := &Tailnet{Devices: slices.DeleteFunc(all, func(device tailnet.Device) bool { return device.Shared })}

	if fetched.UnusedKeys, err = minter.UnusedKeys(ctx, description); err != nil {
		fetched.Unread = err.Error()
	}

	return fetched, nil
}
