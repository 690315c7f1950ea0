package secret

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/talos-tsbridge/talos-tsbridge/internal/lazyregexp"
)

// Scrubber takes secrets out of text that others wrote, such as a server that repeats the request in its error. Its
// elements are secrets that are known; what has the form of a secret it takes out anyway.
type Scrubber []string

var forms = []struct {
	form func() *regexp.Regexp
	with string
}{
	{lazyregexp.New(`(?i)\b[th]skey-[a-z0-9_?=&.-]+`), Redacted},
	{jwt, Redacted},
	{lazyregexp.New(`(?i)\b(bearer|basic)\s+[a-z0-9+/_=.~-]+`), "$1 " + Redacted},
	{lazyregexp.New(`//[^/@\s"]+@`), "//" + Redacted + "@"},
}

// whole is a key of which nothing is left out: tskey-auth-... in a text that explains one is none.
var whole = lazyregexp.New(`(?i)\b[th]skey-[a-z0-9_-]{19,}`)

// Redact returns a text of ours with [Redacted] in place of keys that were given where a name belongs, and that the system's
// errors repeat.
func Redact(text string) string { return whole().ReplaceAllString(text, Redacted) }

// Line returns one printable line of text without secrets, cut at a length that a message can bear.
func (s Scrubber) Line(text string) string {
	const longest, shortest = 300, 6

	for _, secret := range s {
		if len(secret) >= shortest {
			text = strings.ReplaceAll(text, secret, Redacted)
		}
	}

	for _, secret := range forms {
		text = secret.form().ReplaceAllString(text, secret.with)
	}

	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}

		return r
	}, text)

	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest]) + "..."
	}

	return strings.TrimRight(text, ". ")
}
