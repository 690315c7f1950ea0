package machineconfig

import (
	"bytes"

	"go.yaml.in/yaml/v4"
)

const quotedStyles = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle

// scope is what the end of a scalar depends on besides its style.
type scope struct {
	// indent is the column of the block collection around it, counted from 1.
	indent int
	// flow tells that it stands in brackets.
	flow bool
}

// isEmpty reports whether a node has no text of its own, as the value of "key:".
func isEmpty(n *yaml.Node) bool {
	return isPlainEmpty(n) && n.Anchor == "" && n.Style&yaml.TaggedStyle == 0 && n.Tag != "!"
}

// isPlainEmpty reports whether a node has no text but, perhaps, properties.
func isPlainEmpty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" && n.Style&quotedStyles == 0
}

func isBlockScalar(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
}

// scalarEnd returns where a scalar ends whose text begins at a place. A block scalar ends before its last line break.
func (f *File) scalarEnd(n *yaml.Node, at int, in scope) int {
	switch {
	case isPlainEmpty(n):
		return at
	case n.Style&yaml.SingleQuotedStyle != 0:
		return f.singleQuotedEnd(at)
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return f.doubleQuotedEnd(at)
	case isBlockScalar(n):
		return f.blockScalarEnd(at, in)
	}

	return f.plainEnd(at, in)
}

func (f *File) singleQuotedEnd(at int) int {
	for at++; at < len(f.text); at++ {
		if f.text[at] != '\'' {
			continue
		}

		if at+1 == len(f.text) || f.text[at+1] != '\'' {
			return at + 1
		}

		at++
	}

	return at
}

func (f *File) doubleQuotedEnd(at int) int {
	for at++; at < len(f.text); at++ {
		switch f.text[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}

	return min(at, len(f.text))
}

// plainEnd follows a plain scalar over its lines: those that are indented deeper than the collection around it.
func (f *File) plainEnd(at int, in scope) int {
	end := at

	for at < len(f.text) {
		if f.isDocumentMarker(at) || f.text[at] == '#' {
			return end
		}

		for at < len(f.text) && !f.isBlankOrBreak(at) && !f.endsPlain(at, in.flow) {
			at++
			end = at
		}

		if at >= len(f.text) || !f.isBlankOrBreak(at) {
			return end
		}

		broken := false

		for at < len(f.text) && f.isBlankOrBreak(at) {
			width := breakAt(f.text, at)
			broken = broken || width > 0
			at += max(1, width)
		}

		if broken && !in.flow && f.lines().column(at) <= in.indent {
			return end
		}
	}

	return end
}

// endsPlain reports whether the character at a place ends a plain scalar.
func (f *File) endsPlain(at int, flow bool) bool {
	last := at+1 == len(f.text)

	switch c := f.text[at]; {
	case c == ':':
		return last || f.isBlankOrBreak(at+1) || flow && bytes.IndexByte([]byte(",]}"), f.text[at+1]) >= 0
	case !flow:
		return false
	case c == '?':
		return last || f.isBlankOrBreak(at+1)
	default:
		return isFlowIndicator(c)
	}
}

func isFlowIndicator(c byte) bool { return bytes.IndexByte([]byte(",[]{}"), c) >= 0 }

// isDocumentMarker reports whether "---" or "..." stands at a place, alone at the start of a line.
func (f *File) isDocumentMarker(at int) bool {
	rest := f.text[at:]
	if !bytes.HasPrefix(rest, []byte("---")) && !bytes.HasPrefix(rest, []byte("...")) {
		return false
	}

	return f.lines().column(at) == 1 && (len(rest) == 3 || f.isBlankOrBreak(at+3))
}

func (f *File) isBlankOrBreak(at int) bool {
	return f.text[at] == ' ' || f.text[at] == '\t' || breakAt(f.text, at) > 0
}

// blockScalarEnd follows a literal or folded scalar over its lines. Blank lines behind its text belong to it only where
// it keeps them.
func (f *File) blockScalarEnd(at int, in scope) int {
	header := f.lines().end(at)
	keep, indent := false, 0

	for _, c := range f.text[at+1 : header] {
		switch {
		case c == '+':
			keep = true
		case c >= '1' && c <= '9':
			indent = in.indent + int(c-'0')
		case c != '-':
			goto content
		}
	}

content:
	end := header

	for line := f.lines().next(at); line < len(f.text); {
		first := line
		for first < len(f.text) && f.text[first] == ' ' && (indent == 0 || first-line+1 < indent) {
			first++
		}

		column := first - line + 1

		switch blank := first == len(f.text) || breakAt(f.text, first) > 0; {
		case blank && keep:
			end = first
		case blank:
		case indent == 0 && column > in.indent:
			indent = column
			end = f.lines().end(first)
		case indent == 0 || column < indent:
			return end
		default:
			end = f.lines().end(first)
		}

		next := f.lines().next(first)
		if next == first {
			break
		}

		line = next
	}

	return end
}
