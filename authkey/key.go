package authkey

import (
	"crypto/subtle"

	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// Redacted is what a [Key] prints as, everywhere but through [Key.Reveal].
const Redacted = secret.Redacted

// Key is the key with which a node joins a tailnet. It prints as [Redacted]: it implements [fmt.Formatter], [fmt.Stringer],
// [slog.LogValuer], [encoding.TextMarshaler] and the Marshaler of the go-yaml packages that way.
//
// The zero Key is no key at all: [Key.IsZero] reports it, and a patch made with it carries none. Keys are made by
// [Parse], by [Placeholder] and by a [Source].
type Key struct {
	hidden

	// secret is a function because a function is the one thing that no printer, however deep it reflects, can look
	// into.
	secret func() string
	kind   Kind
}

type hidden = secret.Hidden

func newKey(text string, kind Kind) Key {
	return Key{hidden: secret.Hide(), secret: func() string { return text }, kind: kind}
}

// Reveal returns the secret. It is for the code that writes the document, or prints the key because that is what it
// was asked to do; everything else can do without. It returns "" for the zero Key.
func (k Key) Reveal() string {
	if k.secret == nil {
		return ""
	}

	return k.secret()
}

// Kind tells what sort of key this is. It is [KindNone] for the zero Key.
func (k Key) Kind() Kind { return k.kind }

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.secret == nil }

// Equal reports whether both keys hold the same secret, in a time that does not depend on where they differ. It is how
// keys are compared in tests too: == does not compile for a Key, and [reflect.DeepEqual] (with it testify's Equal) is false
// for any two keys, since it finds functions in them.
func (k Key) Equal(other Key) bool {
	return k.kind == other.kind && subtle.ConstantTimeCompare([]byte(k.Reveal()), []byte(other.Reveal())) == 1
}
