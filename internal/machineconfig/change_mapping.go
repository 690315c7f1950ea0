package machineconfig

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

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
