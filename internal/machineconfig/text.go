package machineconfig

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Bytes returns the document's part of the text, with its directives and the comments behind it.
func (d *Document) Bytes() []byte { return d.file.text[d.start:d.end] }

// Without returns the text of the file with blanks in the place of documents: what is left keeps its lines.
func (f *File) Without(documents ...*Document) []byte {
	text := slices.Clone(f.text)

	for _, d := range documents {
		start := f.at(d.Root)
		for at := start; at < d.end; at++ {
			if width := breakAt(text, at); width > 0 {
				at += width - 1
			} else {
				text[at] = ' '
			}
		}
	}

	return text
}

// KeyAt returns the path of the last key that begins on a line or before it, in the document that holds the line.
func (f *File) KeyAt(line int) (*Document, []any) {
	at := slices.IndexFunc(f.documents, func(d *Document) bool { return d.Line > line })
	if at < 0 {
		at = len(f.documents)
	}

	if at == 0 {
		return nil, nil
	}

	d := f.documents[at-1]

	return d, pathAt(d.Root, line)
}

// PathText returns a path as text. A key that may be a value is not repeated.
func PathText(path []any) string {
	shown := slices.Clone(path)

	for i, step := range shown {
		if key, ok := step.(string); ok {
			shown[i] = KeyName(textNode(key))
		}
	}

	return pathText(shown)
}

// KeyLine returns the line of the key or item at a path, or that of the last one on the way that is there.
func (d *Document) KeyLine(path ...any) int {
	line := d.Line

	for i, step := range path {
		around, found := d.Get(path[:i]...), d.Get(path[:i+1]...)
		if found == nil {
			return line
		}

		line = found.Line

		if key, ok := step.(string); ok {
			if at := index(around, key); at >= 0 {
				line = around.Content[2*at].Line
			}
		}
	}

	return line
}

// MergeLine returns the line of the first merge key of a document, 0 for none.
func (d *Document) MergeLine() int {
	var find func(n *yaml.Node) int

	find = func(n *yaml.Node) int {
		for i, child := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 0 && isMerge(child) {
				return child.Line
			}

			if line := find(child); line > 0 {
				return line
			}
		}

		return 0
	}

	return find(d.Root)
}

// pathAt returns the path of the first key or item on a line, or of the last one before it.
func pathAt(n *yaml.Node, line int) []any {
	var path []any

	for {
		step, next, there := any(nil), (*yaml.Node)(nil), 0

		for i, child := range n.Content {
			if child.Line > line {
				break
			}

			switch {
			case n.Kind == yaml.SequenceNode:
				step, next, there = i, child, child.Line
			case n.Kind == yaml.MappingNode && i%2 == 0:
				step, next, there = resolve(child).Value, n.Content[i+1], child.Line
			}

			if there == line {
				break
			}
		}

		if next == nil {
			return path
		}

		path = append(path, step)
		n = next

		if there == line {
			return path
		}
	}
}

// Spliced returns a text with replacements made in it.
func Spliced(text []byte, splices []Splice) []byte {
	result := make([]byte, 0, len(text)+len(text)/8)
	at := 0

	for _, s := range splices {
		result = append(result, text[at:s.Start]...)
		result = append(result, s.Text...)
		at = s.End
	}

	return append(result, text[at:]...)
}

// Pieces returns the documents that replacements change, as they are then, and what is added behind them all.
func (f *File) Pieces(splices []Splice) [][]byte {
	var pieces [][]byte

	at := 0

	for _, d := range f.documents {
		var inside []Splice

		for len(splices) > 0 && (splices[0].Start < d.end || splices[0].endsDocument(d.end)) {
			s := splices[0]
			inside = append(inside, Splice{s.Start - at, min(s.End, d.end) - at, s.Text})
			splices = splices[1:]
		}

		if len(inside) > 0 {
			pieces = append(pieces, Spliced(f.text[at:d.end], inside))
		}

		at = d.end
	}

	for _, s := range splices {
		pieces = append(pieces, []byte(s.Text))
	}

	return pieces
}

// endsDocument reports whether text is added at the end of a document, and is no document of its own.
func (s Splice) endsDocument(end int) bool {
	return s.Start == end && s.End == end && !strings.HasPrefix(strings.TrimLeft(s.Text, "\r\n\u0085\u2028\u2029"), "---")
}
