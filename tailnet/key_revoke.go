package tailnet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// RevokeKey revokes the key of this ID. Devices that it registered stay registered.
//
// When the tailnet has no such key, that is an error with [ReasonNotFound]. That may be what a caller wants, and it may be a
// typing error that leaves the right key alive. It is no error when RevokeKey itself deleted the key and only the answer
// got lost.
//
// A caller that revokes because its context ended must not pass that context: see [context.WithoutCancel].
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	tried, err := c.revoke(ctx, id)
	if tried && Is(err, ReasonNotFound) {
		return nil
	}

	return err
}

// TakeBack revokes a key that was created, and looks for it by its description where the tailnet does not know its ID: the
// answer to the creation may have had a wrong one. A key that is gone, or does not work any more, is no error.
func (c *Client) TakeBack(ctx context.Context, key Key) error {
	if _, err := c.revoke(ctx, key.ID); !Is(err, ReasonNotFound) {
		return err
	}

	if key.Description == "" {
		return nil
	}

	found, err := c.FindKeys(ctx, key.Description)

	for _, other := range found {
		if other.Invalid {
			continue
		}

		// What the list has is there, whatever the revocation says.
		if _, failed := c.revoke(ctx, other.ID); failed != nil {
			err = errors.Join(err, failed)
		}
	}

	return err
}

// revoke deletes the key of an ID. tried tells that an attempt may have deleted it before the last one, which does not find
// it then.
func (c *Client) revoke(ctx context.Context, id string) (tried bool, err error) {
	id = strings.TrimSpace(id)

	switch {
	case id == "":
		return false, errors.New("revoking an auth key: the ID is empty")
	case secret.Looks(id):
		return false, errors.New("revoking an auth key: this is a key and not its ID: the ID is what the admin console shows, such as k123456CNTRL")
	case !isID(id):
		return false, errors.New("revoking an auth key: the ID contains something else than letters, digits, hyphens and underscores")
	}

	err = c.call(ctx, stepDelete, http.MethodDelete, func(ctx context.Context) error {
		err := c.official.Keys().Delete(ctx, id)

		if failure, ok := errors.AsType[*Error](err); ok && failure.step == stepDelete {
			tried = tried || failure.uncertain && failure.Reason != ReasonRateLimited
		}

		return err
	})
	if err != nil {
		return tried, fmt.Errorf("revoking auth key %s: %w", id, err)
	}

	return tried, nil
}

func isID(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}
