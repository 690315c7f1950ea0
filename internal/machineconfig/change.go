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

// changeMapping changes, removes and adds entries.
func (w *writer) changeMapping(c *change, s slot, p place, path []any) {
	w.checkMerged(c, p, path)

	removed := map[int]bool{}
	existing := map[string]bool{}

	for i := range len(p.node.Content) / 2 {
		key := resolve(p.node.Content[2*i]).Value

		inner := c.keys[key]
		if inner == nil || isMerge(p.node.Content[2*i]) {
			continue
		}

		existing[key] = true

		if inner.remove {
			removed[i] = w.checkShared(p.node.Content[2*i+1], append(path, key), true)
			if !removed[i] {
				return
			}
		}
	}

	added := mapping()

	for _, key := range c.fields {
		if value := c.keys[key].made(); value != nil && !existing[key] {
			added.Content = append(added.Content, textNode(key), value)
		}
	}

	if len(removed) > 0 && len(removed) == len(p.node.Content)/2 && s.kind != rootSlot {
		w.replace(added, s, p, path)

		return
	}

	if w.inside(p).flow {
		w.changeFlowMapping(c, p, removed, added, path)
	} else {
		w.changeBlockMapping(c, p, removed, added, path)
	}
}

// checkMerged fails where a merge key gives what is to be changed.
func (w *writer) checkMerged(c *change, p place, path []any) {
	for _, key := range c.fields {
		if index(p.node, key) < 0 && mergedValue(p.node, key) != nil && c.keys[key].value == nil {
			w.fail(p.node, append(path, key), "comes from an anchor by a merge key, which other places share: write it out there")
		}
	}
}

func (w *writer) changeBlockMapping(c *change, p place, removed map[int]bool, added *yaml.Node, path []any) {
	count := len(p.node.Content) / 2
	column := w.lines().column(p.content) - 1

	var above *yaml.Node // the value that stays before

	for i := range count {
		key := resolve(p.node.Content[2*i]).Value

		inner := c.keys[key]
		if inner == nil || isMerge(p.node.Content[2*i]) {
			above = p.node.Content[2*i+1]

			continue
		}

		e := w.entry(p, i)

		if !e.hasColon || !w.isSimpleKey(e) {
			w.fail(e.key.node, append(path, key), "is written with a question mark: write it as a simple key")

			continue
		}

		if removed[i] {
			w.removeEntry(p, i, e, above, path)
		} else {
			above = e.value.node
			w.change(inner, slot{kind: keySlot, at: e.colon, column: column, hasColon: true}, e.value, append(slices.Clone(path), key))
		}
	}

	if len(added.Content) > 0 {
		w.addEntries(p, added, column, path)
	}
}

// isSimpleKey reports whether no "?" stands before a key.
func (w *writer) isSimpleKey(e entry) bool {
	before := strings.TrimRight(string(w.text[w.lines().start(e.key.start):e.key.start]), " \t")

	return !strings.HasSuffix(before, "?")
}

// addEntries puts lines behind the last entry of a mapping in block style, or before the first where a block scalar that
// reaches to the end of the text would get a line break by it.
func (w *writer) addEntries(p place, added *yaml.Node, column int, path []any) {
	last := w.entry(p, len(p.node.Content)/2-1).value
	if !w.isOpenEnded(last) {
		w.insertLines(last.end, w.styleAt(last.end).blockLines(added, column))

		return
	}

	first := w.lines().start(p.content)
	if !w.lines().blank(first, p.content) {
		w.fail(last.node, path, "ends the text without a line break: add one")

		return
	}

	eol := w.lines().eol(first)
	w.splice(first, first, strings.Join(w.style.blockLines(added, column), eol)+eol)
}

// isOpenEnded reports whether a value is a block scalar up to the very end of the text, which another line would change.
func (w *writer) isOpenEnded(p place) bool {
	scalar := endsInBlockScalar(p.node)
	if scalar == nil || w.lines().next(p.end) != w.lines().end(p.end) {
		return false
	}

	header := w.at(scalar)
	for header < len(w.text) && (w.text[header] == '&' || w.text[header] == '!') {
		header = w.skipTrivia(w.wordEnd(header, false))
	}

	return !strings.Contains(string(w.text[header:w.lines().end(header)]), "-")
}

// removeEntry removes an entry of a mapping in block style with its lines.
func (w *writer) removeEntry(p place, i int, e entry, above *yaml.Node, path []any) {
	start := w.lines().start(e.key.start)

	if w.lines().blank(start, e.key.start) {
		w.removeLines(start, e.value.end, above)

		return
	}

	if i+1 >= len(p.node.Content)/2 { // the first entry has the dash of an item before it, and is not the last
		w.fail(e.key.node, path, "cannot be removed from its line")

		return
	}

	// what follows, an entry or a comment, takes the place of the first one
	w.splice(e.key.start, w.skipBlank(w.lines().next(e.value.end)), "")
}

// removeLines removes the lines from one place to that of another. Where a block scalar ends above them and a comment
// follows that would become its text, an empty comment stays between the two.
func (w *writer) removeLines(start, end int, above *yaml.Node) {
	next := w.lines().next(end)
	following := w.skipBlank(next)
	text := ""

	if above != nil && endsInBlockScalar(above) != nil && following < len(w.text) && w.text[following] == '#' {
		if margin := w.skipBlank(start); w.lines().column(following) > w.lines().column(margin) {
			text = string(w.text[start:margin]) + "#" + w.lines().eol(end)
		}
	}

	w.splice(start, next, text)
}

// skipBlank skips blanks and line breaks.
func (w *writer) skipBlank(at int) int {
	for at < len(w.text) && w.isBlankOrBreak(at) {
		at += max(1, breakAt(w.text, at))
	}

	return at
}
