package machineconfig

import (
	"bytes"
	"sort"
	"unicode/utf8"
)

var utf8BOM = []byte("\xef\xbb\xbf")

// lines finds the places of a text that are given as line and column. Lines end where YAML 1.1 ends them, as in the
// parser: at LF, CR, CR LF, NEL, LS and PS. Columns count runes.
type lines struct {
	text   []byte
	starts []int
}

func newLines(text []byte) *lines {
	l := &lines{text: text, starts: []int{0}}

	if bytes.HasPrefix(text, utf8BOM) { // the parser does not count it
		l.starts[0] = len(utf8BOM)
	}

	onlyLF := bytes.IndexByte(text, '\r') < 0
	for _, other := range []string{"\u0085", "\u2028", "\u2029"} {
		onlyLF = onlyLF && !bytes.Contains(text, []byte(other))
	}

	for at := 0; at < len(text); {
		if onlyLF {
			next := bytes.IndexByte(text[at:], '\n')
			if next < 0 {
				break
			}

			at += next
		}

		if width := breakAt(text, at); width > 0 {
			at += width
			l.starts = append(l.starts, at)
		} else {
			at++
		}
	}

	return l
}

// breakAt returns the length of the line break at a place, 0 for none.
func breakAt(text []byte, at int) int {
	if at >= len(text) {
		return 0
	}

	switch rest := text[at:]; rest[0] {
	case '\n':
		return 1
	case '\r':
		if len(rest) > 1 && rest[1] == '\n' {
			return 2
		}

		return 1
	case 0xC2:
		if len(rest) > 1 && rest[1] == 0x85 {
			return 2
		}
	case 0xE2:
		if len(rest) > 2 && rest[1] == 0x80 && (rest[2] == 0xA8 || rest[2] == 0xA9) {
			return 3
		}
	}

	return 0
}

// offset returns the place of a line and column, both counted from 1.
func (l *lines) offset(line, column int) int {
	if line < 1 || line > len(l.starts) {
		return len(l.text)
	}

	at := l.starts[line-1]

	for ; column > 1 && at < len(l.text); column-- {
		if l.text[at] < utf8.RuneSelf {
			at++

			continue
		}

		_, width := utf8.DecodeRune(l.text[at:])
		at += width
	}

	return at
}

// line returns the number of the line that a place is on.
func (l *lines) line(at int) int {
	return max(1, sort.SearchInts(l.starts, at+1))
}

// start returns where the line of a place begins.
func (l *lines) start(at int) int {
	return l.starts[l.line(at)-1]
}

// column returns the column of a place, counted from 1.
func (l *lines) column(at int) int {
	return utf8.RuneCount(l.text[l.start(at):at]) + 1
}

// end returns where the line of a place ends, without its line break.
func (l *lines) end(at int) int {
	for at < len(l.text) && breakAt(l.text, at) == 0 {
		at++
	}

	return at
}

// next returns where the line after that of a place begins, or the end of the text.
func (l *lines) next(at int) int {
	end := l.end(at)

	return end + breakAt(l.text, end)
}

// eol returns the line break of the line of a place, or of the line before where that has none.
func (l *lines) eol(at int) string {
	end := l.end(at)
	if width := breakAt(l.text, end); width > 0 {
		return string(l.text[end : end+width])
	}

	if number := l.line(at); number > 1 {
		return l.eol(l.starts[number-2])
	}

	return "\n"
}

// blank reports whether there are only spaces and tabs between two places.
func (l *lines) blank(from, to int) bool {
	return len(bytes.Trim(l.text[from:to], " \t")) == 0
}
