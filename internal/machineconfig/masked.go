package machineconfig

import (
	"bytes"
	"cmp"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Masked shows lines of a file without its values: keys, and of the fields that are ours what may be seen.
type Masked struct {
	file   *File
	fields []Field
	show   func(path []any, value string) string
	starts []int
	parts  []part
}

// part is a key or a value where it begins.
type part struct {
	at    int
	node  *yaml.Node
	isKey bool
	// hasLines tells of a key that its value stands below, nothing is how an empty collection is written behind it.
	hasLines bool
	nothing  string
	// kind is the value of apiVersion: and kind:.
	kind string
	// path is that of the value in a field of ours, nil elsewhere.
	path []any
}

// Masked prepares a file to be shown by its lines, which end with a line feed here. Of values in fields it shows what show
// returns: the path begins at the field.
func (f *File) Masked(fields []Field, show func(path []any, value string) string) *Masked {
	m := &Masked{file: f, fields: fields, show: show, starts: []int{0}}

	for at := range f.text {
		if f.text[at] == '\n' {
			m.starts = append(m.starts, at+1)
		}
	}

	for _, d := range f.documents {
		var rests []rest

		for _, field := range fields {
			if field.isOf(d) {
				rests = append(rests, rest{path: field.Path})
			}
		}

		m.collect(d.Root, rests, nil, true)
	}

	slices.SortStableFunc(m.parts, func(a, b part) int { return cmp.Compare(a.at, b.at) })

	return m
}

func (m *Masked) collect(n *yaml.Node, rests []rest, path []any, isRoot bool) {
	if path == nil && slices.ContainsFunc(rests, func(r rest) bool { return len(r.path) == 0 }) {
		path = []any{}
	}

	if n.Kind == yaml.ScalarNode || n.Kind == yaml.AliasNode {
		m.parts = append(m.parts, part{at: m.file.at(n), node: n, path: path})

		return
	}

	step := func(step any) []any {
		if path == nil {
			return nil
		}

		return append(slices.Clone(path), step)
	}

	for i, child := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode:
			m.collect(child, nil, step(i), false)
		case i%2 == 0:
			value := n.Content[i+1]
			isBlock := (value.Kind == yaml.MappingNode || value.Kind == yaml.SequenceNode) && value.Style&yaml.FlowStyle == 0
			p := part{at: m.file.at(child), node: child, isKey: true, hasLines: isBlock && len(value.Content) > 0, path: step("")}

			if value.Kind != yaml.ScalarNode && value.Kind != yaml.AliasNode && len(value.Content) == 0 {
				p.nothing = emptyCollection(value)
			}

			if isRoot && (child.Value == "apiVersion" || child.Value == "kind") {
				p.kind = KindName(resolve(value).Value)
			}

			m.parts = append(m.parts, p)
			m.collect(value, below(rests, child), step(resolve(child).Value), false)
		}
	}
}

// Count returns how many lines there are. What follows the last line feed is one only if it is not empty.
func (m *Masked) Count() int {
	if m.starts[len(m.starts)-1] == len(m.file.text) {
		return len(m.starts) - 1
	}

	return len(m.starts)
}

// LineOf returns the line that holds a place, from 0.
func (m *Masked) LineOf(at int) int { return sort.SearchInts(m.starts, at+1) - 1 }

// Line returns a line, counted from 0, without its line feed.
func (m *Masked) Line(i int) string {
	start, end := m.starts[i], len(m.file.text)
	if i+1 < len(m.starts) {
		end = m.starts[i+1]
	}

	line := strings.TrimRight(string(m.file.text[start:end]), "\r\n")
	trimmed := strings.TrimLeft(line, " \t")
	margin := line[:len(line)-len(trimmed)]

	first := sort.Search(len(m.parts), func(i int) bool { return m.parts[i].at >= start })
	last := sort.Search(len(m.parts), func(i int) bool { return m.parts[i].at >= end })
	parts := m.parts[first:last]

	switch {
	case trimmed == "":
		return ""
	case strings.HasPrefix(line, "---"):
		return "---"
	case len(parts) == 0 && strings.HasPrefix(trimmed, "#"):
		return margin + "# ..."
	case len(parts) == 0:
		return margin + "..."
	}

	if rest := string(bytes.TrimRight(m.file.text[start:parts[0].at], " -")); strings.TrimLeft(rest, " \t") == "" {
		margin = string(m.file.text[start:parts[0].at])
	}

	return margin + m.shown(parts)
}

// shown returns the keys and values of a line.
func (m *Masked) shown(parts []part) string {
	const hidden = "..."

	if first := parts[0]; first.isKey && first.path == nil && (len(parts) > 1 && parts[1].path == nil || len(parts) == 1) {
		if first.hasLines {
			return KeyName(first.node) + ":"
		}

		return KeyName(first.node) + ": " + cmp.Or(first.nothing, first.kind, hidden)
	}

	var b strings.Builder

	if len(parts) > 2 || len(parts) == 2 && !parts[0].isKey { // several values in brackets
		for i, p := range parts {
			if i > 0 && !parts[i-1].isKey {
				b.WriteString(", ")
			}

			b.WriteString(m.text(p))
		}

		return b.String()
	}

	for _, p := range parts {
		b.WriteString(m.text(p))
	}

	if only := parts[0]; len(parts) == 1 && only.isKey && !only.hasLines {
		b.WriteString(cmp.Or(only.nothing, hidden))
	}

	return strings.TrimRight(b.String(), " ")
}

func (m *Masked) text(p part) string {
	switch {
	case p.isKey && p.path != nil:
		return p.node.Value + ": "
	case p.isKey:
		return KeyName(p.node) + ": "
	case p.path == nil || p.node.Kind != yaml.ScalarNode:
		return "..."
	default:
		return m.show(p.path, p.node.Value)
	}
}

// IsLineStart reports whether a line begins at a place.
func (m *Masked) IsLineStart(at int) bool { return m.starts[m.LineOf(at)] == at }
