package authkey

// Kind is the sort of a [Key], as its prefix tells it.
type Kind int

const (
	// KindNone is the kind of the zero Key.
	KindNone Kind = iota
	// KindAuth is a Tailscale auth key (tskey-auth-...): it registers a node, once or repeatedly, until it expires.
	KindAuth
	// KindPreAuth is a pre-authentication key of a Headscale server: hskey-auth-..., or without any prefix before
	// Headscale 0.28.
	KindPreAuth
	// KindClientSecret is the secret of a Tailscale OAuth client (tskey-client-...). A node can use it in place of an
	// auth key and then mints its own, but it is long-lived, and with it every node can mint keys for its tags. See
	// [AllowClientSecret].
	KindClientSecret
	// KindPlaceholder is no key but text that another tool replaces by one later. See [Placeholder].
	KindPlaceholder
)

// String returns the kind in words, such as "auth key".
func (k Kind) String() string {
	switch k {
	case KindNone:
		return "no key"
	case KindAuth:
		return "auth key"
	case KindPreAuth:
		return "pre-authentication key"
	case KindClientSecret:
		return "OAuth client secret"
	case KindPlaceholder:
		return "placeholder"
	}

	return "unknown kind"
}
