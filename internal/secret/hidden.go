package secret

import (
	"fmt"
	"io"
	"log/slog"
)

// Redacted stands in a message for what must not be there.
const Redacted = "[redacted]"

// Hidden makes the type that embeds it print as [Redacted]: under every verb of fmt, in slog records, and in JSON, YAML,
// TOML and XML. The secret itself is held beside it, by a function: a printer that reflects, however deep, sees into
// every field, but not into a function.
type Hidden struct {
	// shown is what a printer sees that reads unexported fields of other structs, which has no methods to call.
	shown string
}

// Hide returns the Hidden of a value that holds a secret. The zero Hidden is that of one that holds none.
func Hide() Hidden { return Hidden{shown: Redacted} }

// String returns [Redacted].
func (Hidden) String() string { return Redacted }

// GoString returns [Redacted].
func (Hidden) GoString() string { return Redacted }

// Format implements [fmt.Formatter]: it writes [Redacted] for every verb, so that %x or %q have nothing to encode.
func (Hidden) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, Redacted) // fmt offers no way to report it
}

// LogValue implements [slog.LogValuer].
func (Hidden) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText implements [encoding.TextMarshaler], and with it JSON, XML and TOML.
func (Hidden) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// MarshalYAML implements the Marshaler of the go-yaml packages, v2 to v4.
func (Hidden) MarshalYAML() (any, error) { return Redacted, nil }
