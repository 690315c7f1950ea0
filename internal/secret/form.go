package secret

import (
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/lazyregexp"
)

// The prefixes by which Tailscale and Headscale tell their secrets apart.
const (
	Tailscale     = "tskey-"
	AuthKey       = "tskey-auth-"
	ClientSecret  = "tskey-client-"
	APIToken      = "tskey-api-"
	Webhook       = "tskey-webhook-"
	SCIM          = "tskey-scim-"
	Headscale     = "hskey-"
	HeadscaleAuth = "hskey-auth-"
	HeadscaleAPI  = "hskey-api-"
)

// Looks reports whether text holds something in the form of a secret: a key or token of Tailscale or Headscale, a JWT, or
// a private key in PEM; or whether it is, as a whole, a long hexadecimal number, as a Headscale key before 0.28 was.
func Looks(text string) bool {
	lower := strings.ToLower(text)

	return strings.Contains(lower, Tailscale) || strings.Contains(lower, Headscale) || strings.Contains(text, "PRIVATE KEY-----") ||
		strings.Contains(text, jwtStart) && jwt().MatchString(text) || IsHex(text)
}

// Is reports whether all of text is a secret rather than the name of something, such as a file, that is called after one.
func Is(text string) bool {
	const longestName = 24

	lower := strings.ToLower(text)

	return len(text) > longestName && (strings.HasPrefix(lower, Tailscale) || strings.HasPrefix(lower, Headscale)) ||
		IsJWT(text) || IsHex(text)
}

// IsJWT reports whether text is a JSON web token, as identity providers issue them.
func IsJWT(text string) bool {
	return strings.HasPrefix(text, jwtStart) && strings.Count(text, ".") == 2 && !strings.ContainsAny(text, "/ ")
}

// IsHex reports whether text is hexadecimal and as long as a key: a Headscale key before 0.28 has 48 digits. A number of
// 64 digits is the digest of an image or of a schematic, which is no secret and is shown often. A random number of that
// length has both decimal digits and letters.
func IsHex(text string) bool {
	const (
		shortest, digest = 32, 64
		decimal, letters = "0123456789", "abcdef"
	)

	lower := strings.ToLower(text)

	return len(text) >= shortest && len(text) != digest && strings.Trim(lower, decimal+letters) == "" &&
		strings.ContainsAny(lower, decimal) && strings.ContainsAny(lower, letters)
}

// jwtStart is {" in base64, with which the header of a JWT begins.
const jwtStart = "eyJ"

var jwt = lazyregexp.New(jwtStart + `[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*`)
