package mint

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

// UnusedKeys returns the keys that were minted with this description, [DefaultDescription] when it is empty, and can still
// register a node: not used up, not expired, not revoked. They are sorted by ID. Only keys that the credential can see
// are found.
func (m *Minter) UnusedKeys(ctx context.Context, description string) ([]tailnet.Key, error) {
	if m.Client == nil {
		return nil, tailnet.ErrNoCredentials
	}

	if description = strings.TrimSpace(description); description == "" {
		description = DefaultDescription
	}

	keys, err := m.Client.Keys(ctx)
	if err != nil {
		return nil, err
	}

	var unused []tailnet.Key

	for _, key := range keys {
		if isMinted(key.Description, description) {
			unused = append(unused, key)
		}
	}

	return unused, nil
}

// OlderThan returns those keys that were made before a time by the server's clock, which [tailnet.Client.Now] is. A key of
// which the server does not tell when it was made is not among them.
func OlderThan(keys []tailnet.Key, before time.Time) []tailnet.Key {
	return slices.DeleteFunc(slices.Clone(keys), func(key tailnet.Key) bool { return key.Created.IsZero() || !key.Created.Before(before) })
}

// isMinted reports whether a key was minted with the description: it is that and the eight characters of [unique].
func isMinted(text, description string) bool {
	characters, ok := strings.CutPrefix(text, description+" ")

	return ok && len(characters) == uniqueLength && strings.Trim(characters, "abcdefghijklmnopqrstuvwxyz234567") == ""
}
