package authkey

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// ErrClientSecret is returned for an OAuth client secret where an auth key was wanted and [AllowClientSecret] was not
// given.
var ErrClientSecret = errors.New("this is an OAuth client secret, not an auth key: with it on the node, who holds the " +
	"node can mint keys for its tags; use it to mint a short-lived key instead, or allow a client secret explicitly")

// ParseOption changes what [Parse] accepts.
type ParseOption func(*parseOptions)

type parseOptions struct{ allowClientSecret bool }

// AllowClientSecret makes [Parse] accept an OAuth client secret (tskey-client-...) as the key of the node. The default
// is to refuse it with [ErrClientSecret]: it is long-lived, and it would be on every node that gets the patch.
func AllowClientSecret() ParseOption {
	return func(o *parseOptions) { o.allowClientSecret = true }
}

// Parse makes a [Key] of text, the way a person or a script stores it: blanks and line breaks around it are dropped.
//
// It refuses what would not register a node, or would do so in a way nobody wants: an empty text, blanks, line breaks,
// quotation marks or characters outside ASCII inside the key, an API access token, a masked or redacted key, a reference
// that nothing resolved (op://, ref+, vault:, ${NAME}, {{ }}, ENC[...]), a line of an environment file, attributes behind
// the ? of an auth key, and, without [AllowClientSecret], an OAuth client secret.
//
// An OAuth client secret is completed: tailscale makes a node that joins with one ephemeral and not pre-authorized
// unless the secret says otherwise, so "?ephemeral=false&preauthorized=true" is appended as far as it does not.
//
// No error repeats any part of text.
func Parse(text string, opts ...ParseOption) (Key, error) {
	var options parseOptions

	for _, opt := range opts {
		opt(&options)
	}

	text = strings.TrimSpace(text)

	if err := checkReference(text); err != nil {
		return Key{}, err
	}

	if err := checkCharacters(text); err != nil {
		return Key{}, err
	}

	switch {
	case strings.HasPrefix(text, secret.APIToken), strings.HasPrefix(text, secret.HeadscaleAPI):
		return Key{}, errors.New("this is an API access token, not an auth key: it cannot register a node, and whoever has it owns the " +
			"tailnet; create an auth key (tskey-auth-...)")
	case strings.HasPrefix(text, secret.Webhook), strings.HasPrefix(text, secret.SCIM):
		return Key{}, errors.New("this Tailscale secret is of another kind and cannot register a node: create an auth key (tskey-auth-...)")
	case strings.HasPrefix(text, secret.ClientSecret):
		if !options.allowClientSecret {
			return Key{}, ErrClientSecret
		}

		return parseClientSecret(text)
	case text == secret.Tailscale, text == secret.AuthKey, text == secret.HeadscaleAuth:
		return Key{}, errors.New("the auth key is only a prefix: copy the whole key")
	case strings.HasPrefix(text, secret.Tailscale) && strings.Contains(text, "?"), strings.HasPrefix(text, secret.HeadscaleAuth) && strings.Contains(text, "?"):
		return Key{}, errors.New("the auth key has attributes behind a ?, which only an OAuth client secret takes: an auth key has its own from its " +
			"creation, leave them out")
	case strings.HasPrefix(text, secret.Tailscale):
		return newKey(text, KindAuth), nil
	case strings.HasPrefix(text, secret.Headscale) && !strings.HasPrefix(text, secret.HeadscaleAuth):
		return Key{}, errors.New("this Headscale secret is of another kind and cannot register a node: create a pre-authentication key " +
			"(hskey-auth-...)")
	}

	return newKey(text, KindPreAuth), nil
}

// checkReference refuses what stands for a key that is elsewhere.
func checkReference(text string) error {
	switch {
	case strings.HasPrefix(text, "file:"), strings.HasPrefix(text, "exec:"):
		scheme, _, _ := strings.Cut(text, ":")

		return errors.New("this is a " + scheme + ": reference, not an auth key: give it as the key's source instead")
	case secret.Unresolved(text) == "":
		return nil
	}

	return errors.New("this is " + secret.Unresolved(text) + ", not an auth key: give the key alone, or as the key's source the program that knows " +
		"it (exec:op read op://VAULT/ITEM/FIELD), or what another tool will replace (placeholder:TEXT)")
}

// checkCharacters refuses what no auth key contains. These are the traces that copying and quoting leave.
func checkCharacters(text string) error {
	if text == "" {
		return errors.New("the auth key is empty")
	}

	if text == Redacted {
		return errors.New("the auth key is redacted: this output was made to be read, not to be used")
	}

	for _, r := range text {
		switch {
		case r == '\n' || r == '\r':
			return errors.New("the auth key contains a line break: give one key, on one line")
		case unicode.IsSpace(r):
			return errors.New("the auth key contains a blank: give one key, without blanks")
		case r == '"' || r == '\'' || r == '`':
			return errors.New("the auth key contains a quotation mark: give the key without quotes")
		case r == '*':
			return errors.New("the auth key is masked with asterisks: only its creation shows the whole key, create another one")
		case r > unicode.MaxASCII || !unicode.IsPrint(r):
			return errors.New("the auth key contains a character outside printable ASCII: copy it again")
		}
	}

	return nil
}

// parseClientSecret completes an OAuth client secret with the attributes that tailscale reads behind its "?".
func parseClientSecret(text string) (Key, error) {
	base, query, _ := strings.Cut(text, "?")
	if base == secret.ClientSecret {
		return Key{}, errors.New("the OAuth client secret is only a prefix: copy the whole secret")
	}

	attributes, err := url.ParseQuery(query)
	if err != nil {
		return Key{}, errors.New("the attributes behind the OAuth client secret's ? are malformed: write name=value, joined by &")
	}

	for name, values := range attributes {
		switch name {
		case "ephemeral", "preauthorized":
			if _, err := strconv.ParseBool(values[0]); err != nil || len(values) > 1 {
				return Key{}, errors.New("the attribute " + name + " behind the OAuth client secret's ? is true or false, once")
			}
		case "baseURL":
		default:
			return Key{}, errors.New("behind the OAuth client secret's ? tailscale knows only ephemeral, preauthorized and baseURL")
		}
	}

	if !attributes.Has("ephemeral") {
		attributes.Set("ephemeral", "false")
	}

	if !attributes.Has("preauthorized") {
		attributes.Set("preauthorized", "true")
	}

	return newKey(base+"?"+attributes.Encode(), KindClientSecret), nil
}

// Placeholder makes a [Key] that is no key: text that another tool, such as envsubst, replaces by one once the patch is
// made. It refuses an empty text, one with line breaks or control characters, and one that looks like a real key, since
// a placeholder is printed and stored where a key must not be.
func Placeholder(text string) (Key, error) {
	switch {
	case strings.TrimSpace(text) == "":
		return Key{}, errors.New("the placeholder is empty: write what your tool replaces, such as ${TS_AUTHKEY}")
	case strings.ContainsFunc(text, unicode.IsControl):
		return Key{}, errors.New("the placeholder contains a line break or control character: keep it on one line")
	case secret.Looks(text):
		return Key{}, errors.New("the placeholder looks like a real key: choose another text, or give the key through another source")
	}

	return newKey(text, KindPlaceholder), nil
}
