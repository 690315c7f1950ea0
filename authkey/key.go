package authkey

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

// Redacted is what a [Key] prints as, everywhere but through [Key.Reveal].
const Redacted = quote.Redacted

// Key is the key with which a node joins a tailnet.
//
// The zero Key is no key at all: [Key.IsZero] reports it, and a patch made with it carries none. Keys are made by
// [Parse], by [Placeholder] and by a [Source].
type Key struct {
	// shown is always Redacted. fmt prints unexported fields of other structs without calling any method of ours, so
	// this is what a reader sees there.
	shown string
	// secret is a function because a function is the one thing that no printer, however deep it reflects, can look
	// into.
	secret func() string
	kind   Kind
}

func newKey(secret string, kind Kind) Key {
	return Key{shown: Redacted, secret: func() string { return secret }, kind: kind}
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

// Equal reports whether both keys hold the same secret, in a time that does not depend on where they differ.
func (k Key) Equal(other Key) bool {
	return k.kind == other.kind && subtle.ConstantTimeCompare([]byte(k.Reveal()), []byte(other.Reveal())) == 1
}

// String returns [Redacted].
func (k Key) String() string { return Redacted }

// GoString returns [Redacted].
func (k Key) GoString() string { return Redacted }

// Format implements [fmt.Formatter]: it writes [Redacted] for every verb, so that %x or %q have nothing to encode.
func (k Key) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, Redacted) // fmt offers no way to report it
}

// LogValue implements [slog.LogValuer].
func (k Key) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText implements [encoding.TextMarshaler], and with it JSON, XML and TOML.
func (k Key) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// MarshalYAML implements the Marshaler of the go-yaml packages, v2 to v4.
func (k Key) MarshalYAML() (any, error) { return Redacted, nil }
