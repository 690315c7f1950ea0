package tailnet

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"tailscale.com/client/tailscale/v2"
)

// Policy is the tailnet's policy file, as far as it is about tags.
type Policy struct {
	// TagOwners are who may give a device a tag: users, groups, and devices with other tags. A tag that is not among them may
	// be given by nobody.
	TagOwners map[string][]string `json:"tagOwners"`
}

// Undefined returns those of the tags that the policy does not have, so that no key can be made with them and no device can
// ask for them.
func (p *Policy) Undefined(tags ...string) []string {
	return slices.DeleteFunc(slices.Clone(tags), func(tag string) bool {
		_, defined := p.TagOwners[tag]

		return defined
	})
}

// Policy returns the policy of the tailnet. The credential needs to read it, which to an OAuth client is the scope
// policy_file:read.
func (c *Client) Policy(ctx context.Context) (*Policy, error) {
	var answer *tailscale.ACL

	err := c.call(ctx, stepPolicy, http.MethodGet, func(ctx context.Context) error {
		var err error

		answer, err = c.official.PolicyFile().Get(ctx)

		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the policy file: %w", err)
	}

	return &Policy{TagOwners: answer.TagOwners}, nil
}
