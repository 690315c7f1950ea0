// Package quote puts user input into messages without putting a secret there: keys end up in the wrong flag, and
// messages end up in logs.
package quote

import (
	"strconv"
	"unicode/utf8"

	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// longest bounds what of an input a message repeats, in bytes.
const longest = 80

// Value quotes text for a message. Text that looks like a secret becomes [secret.Redacted], and long text is cut.
func Value(text string) string {
	if secret.Looks(text) {
		return secret.Redacted
	}

	if len(text) > longest {
		end := longest
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}

		return strconv.Quote(text[:end]) + "..."
	}

	return strconv.Quote(text)
}
