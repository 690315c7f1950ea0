package tailnet

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// Grant is what an OAuth client or a federated identity may do, as far as the server tells with an access token: Tailscale
// tells scopes and tags, Headscale the scopes alone.
type Grant struct {
	// Scopes are those of the token, Tags the ones that the client has; nil where the server does not say.
	Scopes, Tags []string
}

// MakesKeys reports whether keys can be made, as far as that is known. Besides auth_keys, the scope of everything does, and
// that of devices as it was before there were scopes for its parts.
func (g Grant) MakesKeys() bool {
	return g.Scopes == nil || g.isForAll() || slices.Contains(g.Scopes, "auth_keys") || slices.Contains(g.Scopes, "devices")
}

// Unowned returns those of the tags of a key that it cannot be made with, and whether that is known: they have to be exactly the
// tags of the client, or each owned by one of these in the policy, which is nil where nobody may read it.
func (g Grant) Unowned(policy *Policy, tags ...string) (unowned []string, known bool) {
	switch {
	case g.isForAll(), g.Tags != nil && sameTags(g.Tags, tags):
		return nil, true
	case g.Tags == nil, policy == nil:
		return nil, false
	}

	return slices.DeleteFunc(slices.Clone(tags), func(tag string) bool {
		return slices.ContainsFunc(policy.TagOwners[tag], func(owner string) bool { return slices.Contains(g.Tags, owner) })
	}), true
}

func (g Grant) isForAll() bool { return slices.Contains(g.Scopes, "all") }

// Grant returns what the credential may do. It costs no call where there is an access token already, which serves later calls
// too. An API access token may do what its user may, which nothing tells: for it, and without credentials, the grant is the
// zero one.
func (c *Client) Grant(ctx context.Context) (Grant, error) {
	if err := c.Check(); err != nil {
		return Grant{}, err
	}

	auth, ok := c.official.Auth.(*authorizer)
	if !ok || auth.tokens == nil {
		return Grant{}, nil
	}

	err := c.call(ctx, auth.tokens.step(), http.MethodPost, func(ctx context.Context) error {
		_, _, err := auth.tokens.get(ctx)

		return err
	})
	if err != nil {
		return Grant{}, err
	}

	return auth.tokens.grant(ctx)
}

// grant returns what the last token was granted.
func (s *tokenSource) grant(ctx context.Context) (Grant, error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return Grant{}, context.Cause(ctx)
	}

	defer func() { <-s.turn }()

	return s.granted, nil
}

// grantOf reads scopes and tags as a token's answer has them: with blanks between them.
func grantOf(scopes, tags string) Grant {
	fields := func(text string) []string {
		if text == "" {
			return nil
		}

		return strings.Fields(text)
	}

	return Grant{Scopes: fields(scopes), Tags: fields(tags)}
}
