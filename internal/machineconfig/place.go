package machineconfig

import (
	"slices"

	"go.yaml.in/yaml/v4"
)

// place is where a node stands in the text. An empty node stands behind the sign that calls for it.
type place struct {
	node *yaml.Node
	// start is where the anchor and tag of the node begin, content where the rest does.
	start, content, end int

	scope
}

// entry is a key of a mapping with its value.
type entry struct {
	key, value place
	// colon is the place behind the colon, or behind the key where there is none.
	colon    int
	hasColon bool
}

// item is a value of a sequence. In block style dash is the place of its dash.
type item struct {
	dash  int
	value place
}

func (f *File) place(n *yaml.Node, start int, in scope) place {
	p := place{node: n, start: start, content: f.contentOf(n, start, in), scope: in}
	p.end = f.endOf(n, p.content, in)

	return p
}

// at returns the place that the parser reported for a node.
func (f *File) at(n *yaml.Node) int { return f.lines().offset(n.Line, n.Column) }

// contentOf skips the anchor and the tag of a node.
func (f *File) contentOf(n *yaml.Node, at int, in scope) int {
	if n.Kind == yaml.AliasNode || n.Anchor == "" && n.Style&yaml.TaggedStyle == 0 && n.Tag != "!" {
		return at
	}

	for at < len(f.text) && (f.text[at] == '&' || f.text[at] == '!') {
		at = f.wordEnd(at, in.flow)

		if next := f.skipTrivia(at); !isPlainEmpty(n) || next < len(f.text) && next == at+1 && (f.text[next] == '&' || f.text[next] == '!') {
			at = next
		}
	}

	return at
}

// wordEnd returns where an anchor, an alias or a tag ends.
func (f *File) wordEnd(at int, flow bool) int {
	verbatim := at+1 < len(f.text) && f.text[at] == '!' && f.text[at+1] == '<'

	for at++; at < len(f.text) && !f.isBlankOrBreak(at); at++ {
		if flow && !verbatim && isFlowIndicator(f.text[at]) || f.text[at] == ':' && f.text[at-1] != '!' && f.endsPlain(at, flow) {
			break
		}
	}

	return at
}

// skipTrivia skips blanks, line breaks and comments.
func (f *File) skipTrivia(at int) int {
	for at < len(f.text) {
		switch width := breakAt(f.text, at); {
		case width > 0:
			at += width
		case f.text[at] == ' ', f.text[at] == '\t':
			at++
		case f.text[at] == '#':
			at = f.lines().end(at)
		default:
			return at
		}
	}

	return at
}

// hasComment reports whether there is a comment in what lies between two nodes.
func (f *File) hasComment(from, to int) bool {
	return slices.Contains(f.text[from:to], '#')
}

func (f *File) endOf(n *yaml.Node, content int, in scope) int {
	switch n.Kind {
	case yaml.AliasNode:
		return f.wordEnd(content, in.flow)
	case yaml.ScalarNode:
		return f.scalarEnd(n, content, in)
	}

	p := place{node: n, content: content, scope: in}

	if f.isBracketed(p) {
		return f.bracketEnd(p)
	}

	switch {
	case len(n.Content) == 0:
		return content
	case n.Kind == yaml.SequenceNode:
		return f.lastItem(p).value.end
	default:
		return f.entry(p, len(n.Content)/2-1).value.end
	}
}

// isBracketed reports whether a collection stands in brackets. The pair of [a: b] is in flow style, and does not.
func (f *File) isBracketed(p place) bool {
	return p.node.Style&yaml.FlowStyle != 0 && p.content < len(f.text) && (f.text[p.content] == '{' || f.text[p.content] == '[')
}

// bracketEnd returns where a collection in brackets ends.
func (f *File) bracketEnd(p place) int {
	at := p.content + 1

	if count := len(p.node.Content); count > 0 {
		if p.node.Kind == yaml.MappingNode {
			at = f.entry(p, count/2-1).value.end
		} else {
			at = f.lastItem(p).value.end
		}
	}

	at = f.skipTrivia(at)
	if at < len(f.text) && f.text[at] == ',' {
		at = f.skipTrivia(at + 1)
	}

	return min(at+1, len(f.text))
}

// inside returns the scope of what a collection holds.
func (f *File) inside(p place) scope {
	if p.flow || f.isBracketed(p) || p.node.Style&yaml.FlowStyle != 0 {
		return scope{indent: p.indent, flow: true}
	}

	return scope{indent: f.lines().column(p.content)}
}

// entry returns the places of an entry of a mapping.
func (f *File) entry(p place, i int) entry {
	in := f.inside(p)
	key, value := p.node.Content[2*i], p.node.Content[2*i+1]
	e := entry{key: f.place(key, f.at(key), in)}

	e.colon = e.key.end
	if at := f.skipTrivia(e.key.end); at < len(f.text) && f.text[at] == ':' {
		e.colon, e.hasColon = at+1, true
	}

	start := e.colon
	if !isEmpty(value) {
		start = f.at(value)
	}

	e.value = f.place(value, start, in)

	return e
}

// items returns the places of the items of a sequence.
func (f *File) items(p place) []item {
	in := f.inside(p)
	at := p.content
	items := make([]item, 0, len(p.node.Content))

	for _, n := range p.node.Content {
		found := item{dash: f.skipTrivia(at)}

		start := found.dash + 1
		if !isEmpty(n) {
			start = f.at(n)
		}

		found.value = f.place(n, start, in)
		at = found.value.end
		items = append(items, found)
	}

	return items
}

// lastItem returns the last item of a sequence, without its dash where that has not to be found.
func (f *File) lastItem(p place) item {
	last := p.node.Content[len(p.node.Content)-1]
	if isEmpty(last) {
		items := f.items(p)

		return items[len(items)-1]
	}

	return item{value: f.place(last, f.at(last), f.inside(p))}
}

// endsInBlockScalar reports whether the text of a node ends in a literal or folded scalar.
func endsInBlockScalar(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode {
		if len(n.Content) == 0 {
			return nil
		}

		n = n.Content[len(n.Content)-1]
	}

	if isBlockScalar(n) {
		return n
	}

	return nil
}
