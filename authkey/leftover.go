package authkey

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"tailscale.com/client/tailscale/v2"
)

// Leftover is a key of an earlier [Minter.Mint] that can still register a node.
type Leftover struct {
	// ID is what [Minter.Revoke] takes.
	ID string `json:"id"`
	// Description is as in [Minted].
	Description string `json:"description"`
	// Tags are the tags of the devices that it registers.
	Tags []string `json:"tags,omitempty"`
	// Reusable tells that it registers any number of them.
	Reusable bool `json:"reusable"`
	// Expires is when it stops to.
	Expires time.Time `json:"expires"`
}

// Leftovers returns the keys that were minted with this description, [DefaultDescription] when it is empty, and can still
// register a node: not used up, not expired, not revoked. They are sorted by ID. Only keys that the credential can see
// are found.
func (m *Minter) Leftovers(ctx context.Context, description string) ([]Leftover, error) {
	if err := m.init(); err != nil {
		return nil, err
	}

	if description = strings.TrimSpace(description); description == "" {
		description = DefaultDescription
	}

	ctx, cancel := context.WithTimeout(ctx, m.timeout())
	defer cancel()

	keys, err := m.list(ctx)
	if err == nil {
		err = m.complete(ctx, keys)
	}

	if err != nil {
		return nil, fmt.Errorf("looking for auth keys: %w", err)
	}

	var left []Leftover

	for _, key := range keys {
		if !isMarked(key.Description, description) || key.Invalid || !key.Revoked.IsZero() {
			continue
		}

		create := key.Capabilities.Devices.Create
		left = append(left, Leftover{ID: key.ID, Description: key.Description, Tags: create.Tags, Reusable: create.Reusable, Expires: key.Expires})
	}

	slices.SortFunc(left, func(a, b Leftover) int { return strings.Compare(a.ID, b.ID) })

	return left, nil
}

// complete asks for those keys of a list of which it holds no more than an ID. One that is gone since the list was made
// stays as it is, without a description.
func (m *Minter) complete(ctx context.Context, keys []tailscale.Key) error {
	var group errgroup.Group

	group.SetLimit(keysAtATime)

	for i, key := range keys {
		if !isBare(key) {
			continue
		}

		group.Go(func() error {
			whole, err := m.whole(ctx, key.ID)
			if whole != nil {
				keys[i] = *whole
			}

			return err
		})
	}

	return group.Wait()
}

// isMarked reports whether a key was minted with the description: it is that and the eight characters of [mark].
func isMarked(text, description string) bool {
	characters, ok := strings.CutPrefix(text, description+" ")

	return ok && len(characters) == markLength && strings.Trim(characters, "abcdefghijklmnopqrstuvwxyz234567") == ""
}
