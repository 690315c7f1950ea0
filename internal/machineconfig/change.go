package machineconfig

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// slot is where a value stands: what has to be known to put another one there.
type slot struct {
	kind slotKind
	// at is the place behind the colon or the dash.
	at int
	// column is that of the key or dash, counted from 0.
	column int
	// hasColon is false for a key in brackets without a value.
	hasColon bool
	quotes   yaml.Style
}

type slotKind int

const (
	rootSlot slotKind = iota
	keySlot
	itemSlot
	flowSlot
)

// change writes a change of what stands at a place.
func (w *writer) change(c *change, s slot, p place, path []any) {
	if c.value != nil {
		w.set(c.value, s, p, path)

		return
	}

	if len(c.keys) == 0 && len(c.items) == 0 && len(c.appended) == 0 {
		return
	}

	if p.node.Kind == yaml.AliasNode {
		w.fail(p.node, path, "stands for the anchor %s, which other places share: write it out there", quoteName(p.node.Value))

		return
	}

	if !w.checkShared(p.node, path, false) {
		return
	}

	isNothing := isNull(p.node) || len(p.node.Content) == 0 && p.node.Kind != yaml.ScalarNode

	switch {
	case isNothing && s.kind != rootSlot:
		if made := c.made(); made != nil {
			w.replace(made, s, p, path)
		}
	case len(c.keys) > 0 && p.node.Kind == yaml.MappingNode:
		w.changeMapping(c, s, p, path)
	case len(c.keys) > 0:
		w.fail(p.node, path, "is not a mapping")
	case p.node.Kind == yaml.SequenceNode:
		w.changeSequence(c, s, p, path)
	default:
		w.fail(p.node, path, "is not a list")
	}
}

// set makes a value another one, keeping what both have in common.
func (w *writer) set(value *yaml.Node, s slot, p place, path []any) {
	if sameValue(resolve(p.node), value) {
		return
	}

	if p.node.Kind != value.Kind || len(p.node.Content) == 0 || len(value.Content) == 0 {
		w.replace(value, s, p, path)

		return
	}

	if value.Kind == yaml.SequenceNode {
		w.reconcile(value.Content, s, p, path)

		return
	}

	if !w.checkShared(p.node, path, false) {
		return
	}

	c := &change{}

	for i := 0; i+1 < len(p.node.Content); i += 2 {
		if key := resolve(p.node.Content[i]).Value; index(value, key) < 0 {
			c.child(key).remove = true
		}
	}

	for i := 0; i+1 < len(value.Content); i += 2 {
		c.child(value.Content[i].Value).value = value.Content[i+1]
	}

	w.changeMapping(c, s, p, path)
}

// sameValue reports whether two trees without comments are the same values.
func sameValue(a, b *yaml.Node) bool {
	a, b = resolve(a), resolve(b)

	if a.Kind != b.Kind || len(a.Content) != len(b.Content) || a.Kind == yaml.ScalarNode && (a.Value != b.Value || a.ShortTag() != b.ShortTag()) {
		return false
	}

	if a.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(a.Content); i += 2 {
			j := index(b, resolve(a.Content[i]).Value)
			if j < 0 || isMerge(a.Content[i]) || !sameValue(a.Content[i+1], b.Content[2*j+1]) {
				return false
			}
		}

		return true
	}

	return slices.EqualFunc(a.Content, b.Content, sameValue)
}

// checkShared fails where an alias makes a node, or for whole something in it, the value of another place as well.
func (w *writer) checkShared(n *yaml.Node, path []any, whole bool) bool {
	if len(w.aliases) == 0 {
		return true
	}

	inside := map[*yaml.Node]bool{}
	if whole {
		collect(n, inside)
	}

	shared := func(n *yaml.Node) bool {
		return slices.ContainsFunc(w.aliases[n], func(alias *yaml.Node) bool { return !inside[alias] })
	}

	if shared(n) {
		w.fail(n, path, "is the anchor %s, which other places share: write it out there", quoteName(n.Anchor))

		return false
	}

	for part := range inside {
		if shared(part) {
			w.fail(part, path, "holds the anchor %s, which other places share: write it out there", quoteName(part.Anchor))

			return false
		}
	}

	return true
}

func collect(n *yaml.Node, nodes map[*yaml.Node]bool) {
	nodes[n] = true

	for _, child := range n.Content {
		collect(child, nodes)
	}
}

// quoteName names an anchor, unless its name is long enough to be something else.
func quoteName(name string) string {
	const longest = 20
	if len(name) > longest {
		return ""
	}

	return `"` + name + `"`
}

// replace puts a value in the place of another as a whole. Its anchor stays, also where no alias reads it.
func (w *writer) replace(value *yaml.Node, s slot, p place, path []any) {
	if !w.checkShared(p.node, path, true) {
		return
	}

	var r rendered

	style := w.styleAt(p.end)

	switch s.kind {
	case rootSlot:
		w.fail(p.node, path, "cannot be replaced as a whole")

		return
	case flowSlot:
		w.replaceInFlow(value, s, p)

		return
	case keySlot:
		r = style.renderValue(value, s.column, quotesLike(p.node))
	case itemSlot:
		r = style.renderItem(value, s.column, s.quotes)
	}

	if anchor := p.node.Anchor; anchor != "" {
		r = r.anchored(anchor, s.kind == itemSlot && len(value.Content) > 0, s.column)
	}

	lines := w.lines()

	switch below := lines.line(p.content) > lines.line(s.at); {
	case isEmpty(p.node) && r.inline != "":
		w.splice(s.at, s.at, " "+r.inline)
	case isEmpty(p.node):
	case below: // what stands below goes line by line, and the line of the key keeps its comment
		end := s.at
		if property := p.start; lines.line(property) == lines.line(s.at) && property < p.content {
			end = w.propertiesEnd(p)
		}

		if r.inline != "" {
			r.inline = " " + r.inline
		}

		w.splice(s.at, end, r.inline)

		text := strings.Join(r.lines, lines.eol(s.at))
		if len(r.lines) > 0 && lines.next(p.end) > lines.end(p.end) {
			text += lines.eol(s.at)
		}

		w.splice(lines.next(s.at), lines.next(p.end), text)

		return
	case r.inline == "":
		w.splice(s.at, p.end, "")
	default:
		w.splice(p.start, p.end, r.inline)
	}

	w.insertLines(p.end, r.lines)
}

// propertiesEnd returns where the anchor and tag end that stand in front of a value.
func (w *writer) propertiesEnd(p place) int {
	at := p.start
	for at < p.content && (w.text[at] == '&' || w.text[at] == '!') {
		at = w.wordEnd(at, p.flow)
		if next := w.skipTrivia(at); w.lines().line(next) == w.lines().line(at) && next < p.content {
			at = next
		}
	}

	return at
}

func quotesLike(n *yaml.Node) yaml.Style {
	return n.Style & (yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle)
}

func (w *writer) replaceInFlow(value *yaml.Node, s slot, p place) {
	quotes := s.quotes
	if quotes == 0 {
		quotes = quotesLike(p.node)
	}

	text := w.style.flowText(value, quotes)
	if p.node.Anchor != "" {
		text = "&" + p.node.Anchor + " " + text
	}

	switch {
	case !isEmpty(p.node):
		w.splice(p.start, p.end, text)
	case s.hasColon:
		w.splice(s.at, s.at, " "+text)
	default:
		w.splice(s.at, s.at, ": "+text)
	}
}

// styleAt returns the style of what is written below the line of a place.
func (w *writer) styleAt(at int) style {
	found := w.style
	next := w.lines().next(at)
	following := w.skipBlank(next)
	found.quoteLines = next == w.lines().end(at) || following < len(w.text) && w.text[following] == '#'

	return found
}

// insertLines puts lines below the one of a place.
func (w *writer) insertLines(at int, added []string) {
	if len(added) == 0 {
		return
	}

	lines := w.lines()
	eol := lines.eol(at)

	if next := lines.next(at); next == lines.end(at) { // the last line has no line break
		w.splice(next, next, eol+strings.Join(added, eol))
	} else {
		w.splice(next, next, strings.Join(added, eol)+eol)
	}
}
