package secret

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// Scrubber takes secrets out of text that others wrote, such as a server that repeats the request in its error. Its
// elements are secrets that are known; what has the form of a secret it takes out anyway.
type Scrubber []string

// OfRequest returns the Scrubber of what a request carries as credentials, in the forms in which it carries them. more
// are secrets in its body.
func OfRequest(req *http.Request, more ...string) Scrubber {
	var known Scrubber

	for _, secret := range more {
		known = append(known, secret, url.QueryEscape(secret))
	}

	if _, value, ok := strings.Cut(req.Header.Get("Authorization"), " "); ok {
		known = append(known, value)

		if plain, err := base64.StdEncoding.DecodeString(value); err == nil {
			user, password, _ := strings.Cut(string(plain), ":")
			if password != "" {
				user = "" // an OAuth client's ID, which is no secret; without a password, the user is an API access token
			}

			known = append(known, string(plain), user, password)
		}
	}

	return known
}

var forms = []struct {
	form *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(?i)\b[th]skey-[a-z0-9_?=&.-]+`), Redacted},
	{jwt, Redacted},
	{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[a-z0-9+/_=.~-]+`), "$1 " + Redacted},
	{regexp.MustCompile(`//[^/@\s"]+@`), "//" + Redacted + "@"},
}

// Line returns one printable line of text without secrets, cut at a length that a message can bear.
func (s Scrubber) Line(text string) string {
	const longest, shortest = 300, 6

	for _, secret := range s {
		if len(secret) >= shortest {
			text = strings.ReplaceAll(text, secret, Redacted)
		}
	}

	for _, secret := range forms {
		text = secret.form.ReplaceAllString(text, secret.with)
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
