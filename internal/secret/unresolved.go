package secret

import (
	"slices"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/lazyregexp"
)

// Unresolved says what a text is that stands for a secret and should have been replaced by it, such as "a 1Password
// reference", and "" for any other.
func Unresolved(text string) string {
	for _, sign := range signs {
		if strings.HasPrefix(text, sign.prefix) && (sign.anywhere == "" || strings.Contains(text, sign.anywhere)) {
			return sign.name
		}
	}

	switch {
	case slices.ContainsFunc(nothing, func(word string) bool { return strings.EqualFold(text, word) }):
		return "what a program prints where it finds nothing"
	case address().MatchString(text):
		return "a URL"
	case assignment().MatchString(text):
		return "a line of an environment file"
	}

	return ""
}

var signs = []struct{ prefix, anywhere, name string }{
	{"op://", "", "a 1Password reference"},
	{"ref+", "", "a vals reference"},
	{"vault:", "", "a Vault reference"},
	{"arn:", "", "the ARN of a parameter"},
	{"ENC[", "", "a value that SOPS encrypted"},
	{"", "${", "a variable that nothing replaced"},
	{"", "$(", "a command that nothing ran"},
	{"", "{{", "a template that nothing rendered"},
}

// nothing are the words that programs print, with exit code 0, for a value that is not there: vals, jq, yq, templates.
var nothing = []string{"<nil>", "nil", "null", "(null)", "none", "undefined", "<no value>"}

var address = lazyregexp.New(`^[a-z][a-z0-9+.-]*://`)

// assignment is NAME=value, as in a file of variables. A key signed for tailnet lock has = too, and no such beginning.
var assignment = lazyregexp.New(`^(export\s+)?[A-Z_][A-Z0-9_]*=`)
