package authkey

import (
	"context"
	"errors"
	"fmt"

	"tailscale.com/client/tailscale/v2"
)

// All returns the devices of the tailnet as the API describes them, also those that wait for approval and those that are
// shared with it.
func (d *Devices) All(ctx context.Context) ([]tailscale.Device, error) {
	if err := (*Minter)(d).init(); err != nil {
		return nil, err
	}

	all, err := d.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking up devices: %w", err)
	}

	return all, nil
}

// isStatus reports whether an error is the API's answer with a status.
func isStatus(err error, status int) bool {
	failure, ok := errors.AsType[*APIError](err)

	return ok && failure.Status == status && !failure.notAPI
}
