package fleet

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Key says where the key of a node comes from, and what a minted one is like. An empty field is as the command line has it
// by default.
type Key struct {
	// Source is what --auth-key takes: mint, once, env, file:PATH (beside the file), exec:COMMAND, none, placeholder:TEXT, or - for
	// standard input.
	Source string `yaml:"source,omitempty"`
	// Expiry is how long a minted key can register the node.
	Expiry Duration `yaml:"expiry,omitempty"`
	// Reusable says that the key serves any number of nodes: a minted one is made so, one from elsewhere is taken to be so.
	Reusable *bool `yaml:"reusable,omitempty"`
	// Ephemeral makes nodes that stay offline disappear from the tailnet.
	Ephemeral *bool `yaml:"ephemeral,omitempty"`
	// Preauthorized spares the nodes an approval. Default: true.
	Preauthorized *bool `yaml:"preauthorized,omitempty"`
	// Description is shown with the key in the admin console.
	Description string `yaml:"description,omitempty"`
	// Tags are those of the key. Default: those that the node advertises.
	Tags []string `yaml:"tags,omitempty"`
	// Tailnet is the name of the tailnet that the key is made in. Default: that of the credential.
	Tailnet string `yaml:"tailnet,omitempty"`
}

// merge returns the key with what over says in place of it. Either may be nil.
func (k *Key) merge(over *Key) Key {
	merged := Key{}

	for _, one := range []*Key{k, over} {
		if one == nil {
			continue
		}

		set(&merged.Source, one.Source)
		set(&merged.Expiry, one.Expiry)
		set(&merged.Reusable, one.Reusable)
		set(&merged.Ephemeral, one.Ephemeral)
		set(&merged.Preauthorized, one.Preauthorized)
		set(&merged.Description, one.Description)
		set(&merged.Tailnet, one.Tailnet)

		if one.Tags != nil {
			merged.Tags = one.Tags
		}
	}

	return merged
}

func set[T comparable](into *T, value T) {
	var none T
	if value != none {
		*into = value
	}
}

// Duration is a time span as people write one: 30m, 1h30m, 90d.
type Duration time.Duration

const day = 24 * time.Hour

// UnmarshalText reads a time span.
func (d *Duration) UnmarshalText(text []byte) error {
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		if count, err := strconv.ParseUint(days, 10, 16); err == nil {
			*d = Duration(time.Duration(count) * day)

			return nil
		}
	}

	span, err := time.ParseDuration(string(text))
	if err != nil || span <= 0 {
		return errors.New("is not a time span: write one such as 30m, 1h or 90d")
	}

	*d = Duration(span)

	return nil
}

// MarshalText writes a time span.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d Duration) String() string {
	span := time.Duration(d)
	if span > 0 && span%day == 0 {
		return fmt.Sprintf("%dd", span/day)
	}

	return span.String()
}
