package tailnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/tailscale/hujson"
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
	var text string

	err := c.call(ctx, stepPolicy, http.MethodGet, func(ctx context.Context) error {
		answer, err := c.official.PolicyFile().Raw(ctx)
		if err == nil {
			text = answer.HuJSON
		}

		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the policy file: %w", err)
	}

	// Headscale answers with the file as it is, comments and commas too many included
	standard, err := hujson.Standardize([]byte(text))
	if err == nil {
		var policy Policy
		if err = json.Unmarshal(standard, &policy); err == nil {
			return &policy, nil
		}
	}

	return nil, errors.New("reading the policy file: the answer is no policy: check the base URL") // the parser's error repeats the text
}
