// Package quote puts user input into messages without putting a secret there: keys end up in the wrong flag, and
// messages end up in logs.
package quote

import (
	"strconv"
	"strings"
)

// Redacted stands in a message for what must not be there.
const Redacted = "[redacted]"

// longest bounds what of an input a message repeats, in bytes.
const longest = 80

// Value quotes text for a message. Text that looks like a secret becomes [Redacted], and long text is cut.
func Value(text string) string {
	if LooksSecret(text) {
		return Redacted
	}

	if len(text) > longest {
		return strconv.Quote(text[:longest]) + "..."
	}

	return strconv.Quote(text)
}

// LooksSecret reports whether text holds something in the form of a Tailscale or Headscale secret.
func LooksSecret(text string) bool {
	text = strings.ToLower(text)

	return strings.Contains(text, "tskey-") || strings.Contains(text, "hskey-")
}
