package tailnet

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// requestScrubber knows what a request carries as credentials, in the forms in which it carries them. more
// are secrets in its body.
func requestScrubber(req *http.Request, more ...string) secret.Scrubber {
	var known secret.Scrubber

	for _, text := range more {
		known = append(known, text, url.QueryEscape(text))
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
