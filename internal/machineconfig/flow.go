package machineconfig

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// element is an entry or an item in brackets.
type element struct {
	start, end int
	remove     bool
	// before are the texts of elements that come in front of it.
	before []string
}

func (w *writer) changeFlowMapping(c *change, p place, removed map[int]bool, added *yaml.Node, path []any) {
	if !w.isBracketed(p) {
		w.fail(p.node, path, "is a pair without braces: write it with them")

		return
	}

	var elements []element

	for i := range len(p.node.Content) / 2 {
		e := w.entry(p, i)
		elements = append(elements, element{start: e.key.start, end: e.value.end, remove: removed[i]})

		key := resolve(p.node.Content[2*i]).Value
		if inner := c.keys[key]; inner != nil && !removed[i] && !isMerge(p.node.Content[2*i]) {
			w.change(inner, slot{kind: flowSlot, at: e.colon, hasColon: e.hasColon}, e.value, append(slices.Clone(path), key))
		}
	}

	var after []string
	for i := 0; i+1 < len(added.Content); i += 2 {
		after = append(after, w.style.flowPair(added.Content[i], added.Content[i+1], 0))
	}

	w.writeElements(elements, after, p)
}

func (w *writer) writeFlowItems(plan []plannedItem, p place, path []any) {
	items := w.items(p)
	quotes := quotesOf(p.node)

	var (
		elements []element
		waiting  []string
	)

	for _, planned := range plan {
		if planned.old < 0 {
			waiting = append(waiting, w.style.flowText(planned.value, quotes))

			continue
		}

		value := items[planned.old].value
		elements = append(elements, element{start: value.start, end: value.end, remove: planned.remove, before: waiting})
		waiting = nil

		if planned.change != nil && !planned.remove {
			w.change(planned.change, slot{kind: flowSlot, at: value.start, hasColon: true}, value, append(slices.Clone(path), planned.old))
		}
	}

	w.writeElements(elements, waiting, p)
}

// writeElements removes elements and adds others, with the commas between them.
func (w *writer) writeElements(elements []element, after []string, p place) {
	separator := w.separator(elements, p)

	// behind which element that stays new ones come, and what comes before the first of those
	last := -1

	var first []string

	insert := func(texts []string) {
		for _, text := range texts {
			if last < 0 {
				first = append(first, text)
			} else {
				w.splice(elements[last].end, elements[last].end, separator+text)
			}
		}
	}

	for i, e := range elements {
		insert(e.before)

		if !e.remove {
			if last < 0 {
				for _, text := range first {
					w.splice(e.start, e.start, text+separator)
				}

				first = nil
			}

			last = i
		}
	}

	if comment := w.commentBehind(elements, last, separator); comment > 0 {
		w.addBelow(elements[last].end, comment, after, separator)
	} else {
		insert(after)
	}

	for i, text := range first { // none stays
		if i > 0 {
			text = separator + text
		}

		w.splice(p.content+1, p.content+1, text)
	}

	w.removeElements(elements, last)
}

// commentBehind returns where the line ends whose comment is about the last element, when new ones come on lines of their
// own; 0 otherwise.
func (w *writer) commentBehind(elements []element, last int, separator string) int {
	if last < 0 || last != len(elements)-1 || !strings.ContainsFunc(separator, func(r rune) bool { return strings.ContainsRune("\n\r\u0085\u2028\u2029", r) }) {
		return 0
	}

	end := elements[last].end
	line := w.lines().end(end)

	if behind := strings.TrimLeft(strings.TrimPrefix(strings.TrimLeft(string(w.text[end:line]), " \t"), ","), " \t"); !strings.HasPrefix(behind, "#") {
		return 0
	}

	return line
}

// addBelow adds elements below the line of the last one, which gets a comma in front of its comment.
func (w *writer) addBelow(end, line int, added []string, separator string) {
	if len(added) == 0 {
		return
	}

	trailing := w.skipTrivia(end)
	if trailing < len(w.text) && w.text[trailing] == ',' && trailing < line {
		trailing = -1
	} else {
		w.splice(end, end, ",")
	}

	text := strings.TrimPrefix(separator, ",") + strings.Join(added, separator)
	if trailing < 0 {
		text += ","
	}

	w.splice(line, line, text)
}

// removeElements removes elements with their commas. Comments between them stay.
func (w *writer) removeElements(elements []element, last int) {
	for i, e := range elements {
		switch {
		case !e.remove:
		case i > last && last >= 0 && !w.hasComment(elements[last].end, elements[len(elements)-1].end):
			w.splice(elements[last].end, elements[len(elements)-1].end, "")

			return
		case i < last && !w.hasComment(e.end, elements[i+1].start):
			w.splice(e.start, elements[i+1].start, "")
		default:
			end := e.end
			if comma := w.skipTrivia(end); comma < len(w.text) && w.text[comma] == ',' && !w.hasComment(end, comma) {
				end = comma + 1
			}

			w.splice(e.start, end, "")
		}
	}
}

// separator returns what stands between two elements.
func (w *writer) separator(elements []element, p place) string {
	if len(elements) > 1 && !w.hasComment(elements[0].end, elements[1].start) {
		return string(w.text[elements[0].end:elements[1].start])
	}

	if lines := w.lines(); len(elements) > 0 && lines.line(elements[0].start) > lines.line(p.content) {
		start := lines.start(elements[0].start)
		if lines.blank(start, elements[0].start) {
			return "," + lines.eol(p.content) + string(w.text[start:elements[0].start])
		}
	}

	return w.style.comma()
}
