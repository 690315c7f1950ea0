package mint

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

const (
	// DefaultExpiry is how long a key can register a node when [Options] does not say.
	DefaultExpiry = time.Hour
	// MinExpiry is the shortest that Options may say.
	MinExpiry = time.Minute
	// MaxExpiry is the longest that Options may say, which is also the longest that Tailscale allows.
	MaxExpiry = 90 * 24 * time.Hour

	// DefaultDescription is the Description of a key when [Options] does not say.
	DefaultDescription = "talos-tsbridge"
	// MaxDescription is how many characters the Description of [Options] may have. Tailscale allows 50; the rest is
	// for what makes the key recognisable.
	MaxDescription = 50 - 1 - uniqueLength

	uniqueLength = 8
)

// Options says what kind of key to mint. The zero Options make the safest one that a Talos node can use: single-use,
// pre-authorized, not ephemeral, expiring after an hour.
type Options struct {
	// Tags are the tags of the devices that the key registers; "tag:" is added where missing. A key made with an OAuth
	// client or a workload identity must have tags: exactly the client's, or tags owned by those. Default: none.
	Tags []string
	// Expiry is how long the key can register a node, in whole seconds, from [MinExpiry] to [MaxExpiry]. It is not how
	// long the node stays registered. Default: [DefaultExpiry].
	Expiry time.Duration
	// Reusable makes the key register any number of nodes until it expires. Default: one.
	Reusable bool
	// Ephemeral makes tailscale delete the node soon after it goes offline, which a node that keeps its state does not
	// survive. Default: not.
	Ephemeral bool
	// RequireApproval makes a node that uses the key wait for an admin's approval, on a tailnet with device approval.
	// Default: the key is pre-authorized, and the node does not wait.
	RequireApproval bool
	// Description is shown with the key in the admin console: at most [MaxDescription] letters, digits, hyphens and
	// spaces. Eight characters that no other key has are appended to it. Default: [DefaultDescription].
	Description string
}

// Check reports all that is wrong with the options by themselves. [Minter.Check] knows what goes with the credential, too.
func (o Options) Check() error {
	_, err := o.normalize()

	return err
}

// normalize returns the options with their defaults, or all faults.
func (o Options) normalize() (Options, error) {
	var faults []error

	tags, err := tailaddr.ParseTags(o.Tags)
	if err != nil {
		faults = append(faults, err)
	}

	o.Tags = slices.Clone(tags)

	switch {
	case o.Expiry == 0:
		o.Expiry = DefaultExpiry
	case o.Expiry < MinExpiry || o.Expiry > MaxExpiry:
		faults = append(faults, fmt.Errorf("the key's expiry is %s: give 1 minute to 90 days (%s)", o.Expiry, MaxExpiry))
	}

	o.Description = strings.TrimSpace(o.Description)

	switch {
	case o.Description == "":
		o.Description = DefaultDescription
	case secret.Looks(o.Description):
		faults = append(faults, errors.New("the key's description looks like a key: describe what the key is for"))
	case strings.ContainsFunc(o.Description, notDescription):
		faults = append(faults, errors.New("the key's description may contain letters, digits, hyphens and spaces only"))
	case len(o.Description) > MaxDescription:
		faults = append(faults, fmt.Errorf("the key's description has %d characters: give at most %d, Tailscale allows 50 and %d make the key "+
			"recognisable", len(o.Description), MaxDescription, uniqueLength+1))
	}

	return o, errors.Join(faults...)
}

func notDescription(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == ' ':
		return false
	}

	return true
}

// request is what the API is asked for.
func (o Options) request() tailnet.KeyRequest {
	return tailnet.KeyRequest{
		Description: unique(o.Description), Tags: o.Tags, Expiry: o.Expiry, Reusable: o.Reusable, Ephemeral: o.Ephemeral, Preauthorized: !o.RequireApproval,
	}
}

// unique returns text followed by what no other key has in its description: 40 random bits. With it, a key whose creation
// got no answer can be told from all others.
func unique(text string) string {
	return text + " " + strings.ToLower(rand.Text()[:uniqueLength])
}
