package containerboot

import (
	"net/url"
	"strings"
	"unicode"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

// CheckURL says what is wrong with the URL of a control server, or returns "". It repeats the URL only where that can
// hold no password.
func CheckURL(text string) string {
	u, err := url.Parse(text)

	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return "is not a URL: write one such as https://headscale.example.com"
	case u.User != nil:
		return "contains a user name or password: a control server takes none, leave it out"
	case u.RawQuery != "" || u.Fragment != "":
		return quote.Value(u.Scheme+"://"+u.Host) + " has a query or fragment: leave out what follows the path"
	case strings.ContainsFunc(text, unicode.IsSpace):
		return "contains a blank: leave it out"
	}

	return ""
}
