package tailaddr

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// tagPrefix begins every tag.
const tagPrefix = "tag:"

// ParseTags reads tags as users write them: each element of list is one tag or several, separated by commas, with
// blanks around them and with or without "tag:". It returns them with "tag:", each once, in the order given; nil for an
// empty list.
//
// A tag is made of ASCII letters, digits and dashes and begins with a letter. The error names every element that is not
// one. An empty element is a fault too: it is what an unset shell variable leaves, and a node without its tag is
// subject to other rules than the one with it.
func ParseTags(list []string) ([]string, error) {
	var (
		tags   []string
		faults []error
	)

	for _, element := range list {
		for text := range strings.SplitSeq(element, ",") {
			text = strings.TrimSpace(text)

			name := strings.TrimPrefix(text, tagPrefix)
			if name == "" {
				faults = append(faults, errors.New("a tag is empty: leave it out, or check the variable that it comes from"))

				continue
			}

			// A key would pass for a tag, and be shown to everyone who sees the node.
			if secret.Looks(name) {
				faults = append(faults, errors.New("a tag looks like a key and is not repeated here: keys are not given as tags"))

				continue
			}

			if !isTagName(name) {
				faults = append(faults, fmt.Errorf("%s is not a tag: a tag is made of letters, digits and dashes and begins with a letter, "+
					"such as tag:k8s", quote.Value(text)))

				continue
			}

			if tag := tagPrefix + name; !slices.Contains(tags, tag) {
				tags = append(tags, tag)
			}
		}
	}

	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}

	return tags, nil
}

// isTagName is the rule by which tailscale itself checks a tag, behind its "tag:".
func isTagName(name string) bool {
	for i, r := range []byte(name) {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		digit := r >= '0' && r <= '9'

		if !letter && (i == 0 || !digit && r != '-') {
			return false
		}
	}

	return name != ""
}
