// Package printable makes text from outside fit for a terminal, a shell and a line: certificates, answers of servers, names
// of nodes and files given by others may hold escape sequences, line breaks and marks that turn the direction of writing.
package printable

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns text in which everything that a terminal does not show as a character is written as Go escapes it, such as
// \x1b. Line breaks are no exception.
func Line(text string) string {
	if strings.IndexFunc(text, hidden) < 0 && utf8.ValidString(text) {
		return text
	}

	var line strings.Builder

	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)

		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&line, `\x%02x`, text[0])
		case hidden(r):
			quoted := strconv.QuoteToASCII(string(r))
			line.WriteString(quoted[1 : len(quoted)-1])
		default:
			line.WriteRune(r)
		}

		text = text[size:]
	}

	return line.String()
}

// hidden reports whether a character is not one that is seen: controls, formats such as those of bidirectional text, and
// blanks other than the usual one.
func hidden(r rune) bool { return !unicode.IsPrint(r) }

// Clip returns at most the first length characters of text, and says so where that is not all.
func Clip(text string, length int) string {
	if utf8.RuneCountInString(text) <= length {
		return text
	}

	return string([]rune(text)[:length]) + "..."
}

// Word returns text as one word of a POSIX shell, so that a command line that is suggested means what it says.
func Word(text string) string {
	const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-"

	text = Line(text)
	if text != "" && text[0] != '-' && strings.Trim(text, safe) == "" {
		return text
	}

	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// JSON returns JSON that means the same, in which what is not seen is escaped as JSON does it.
func JSON(text []byte) []byte {
	if bytes.IndexFunc(text, hiddenInJSON) < 0 {
		return text
	}

	var escaped bytes.Buffer

	for _, r := range string(text) {
		switch {
		case !hiddenInJSON(r):
			escaped.WriteRune(r)
		case r > 0xffff:
			const first, last, half, ten = 0xd800, 0xdc00, 0x3ff, 10

			r -= 0x10000
			fmt.Fprintf(&escaped, `\u%04x\u%04x`, first+r>>ten, last+r&half)
		default:
			fmt.Fprintf(&escaped, `\u%04x`, r)
		}
	}

	return escaped.Bytes()
}

// hiddenInJSON is hidden for what stands in strings: line breaks and tabs stand between them.
func hiddenInJSON(r rune) bool { return r != '\n' && r != '\t' && r != '\r' && hidden(r) }

// First returns the first texts of many, and as the last one how many more there are. An answer may hold thousands.
func First(most int, texts []string) []string {
	if len(texts) <= most {
		return texts
	}

	return append(slices.Clone(texts[:most]), fmt.Sprintf("and %d more", len(texts)-most))
}
