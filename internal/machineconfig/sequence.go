package machineconfig

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// changeSequence changes, removes and appends items.
func (w *writer) changeSequence(c *change, s slot, p place, path []any) {
	plan := make([]plannedItem, 0, len(p.node.Content)+len(c.appended))

	for i := range p.node.Content {
		inner := c.items[i]
		plan = append(plan, plannedItem{old: i, change: inner, remove: inner != nil && inner.remove})
	}

	for _, value := range c.appended {
		plan = append(plan, plannedItem{old: -1, value: value})
	}

	w.writeItems(plan, s, p, path)
}

// plannedItem is an item of a list that is there, or one that comes to it.
type plannedItem struct {
	old    int
	change *change
	remove bool
	value  *yaml.Node
}

// reconcile makes a list that is there another one. The items that both have stay where they are.
func (w *writer) reconcile(wanted []*yaml.Node, s slot, p place, path []any) {
	if !w.checkShared(p.node, path, false) {
		return
	}

	var plan []plannedItem

	next := 0

	for i, j := range common(p.node.Content, wanted) {
		if j < 0 {
			plan = append(plan, plannedItem{old: i, remove: true})

			continue
		}

		for ; next < j; next++ {
			plan = append(plan, plannedItem{old: -1, value: wanted[next]})
		}

		plan = append(plan, plannedItem{old: i, change: &change{value: wanted[j]}})
		next = j + 1
	}

	for ; next < len(wanted); next++ {
		plan = append(plan, plannedItem{old: -1, value: wanted[next]})
	}

	w.writeItems(plan, s, p, path)
}

// common returns for each item of a list which one of another it becomes, or -1: a longest common subsequence.
func common(old, wanted []*yaml.Node) []int {
	const most = 4_000_000

	matches := make([]int, len(old))
	for i := range matches {
		matches[i] = -1
	}

	if len(old)*len(wanted) > most {
		for i := 0; i < min(len(old), len(wanted)) && isSameItem(old[i], wanted[i]); i++ {
			matches[i] = i
		}

		return matches
	}

	width := len(wanted) + 1
	lengths := make([]int32, (len(old)+1)*width)

	for i := len(old) - 1; i >= 0; i-- {
		for j := len(wanted) - 1; j >= 0; j-- {
			if isSameItem(old[i], wanted[j]) {
				lengths[i*width+j] = lengths[(i+1)*width+j+1] + 1
			} else {
				lengths[i*width+j] = max(lengths[(i+1)*width+j], lengths[i*width+j+1])
			}
		}
	}

	for i, j := 0, 0; i < len(old) && j < len(wanted); {
		switch {
		case isSameItem(old[i], wanted[j]):
			matches[i] = j
			i, j = i+1, j+1
		case lengths[(i+1)*width+j] >= lengths[i*width+j+1]:
			i++
		default:
			j++
		}
	}

	return matches
}

// isSameItem reports whether two items are about the same thing.
func isSameItem(a, b *yaml.Node) bool {
	a, b = resolve(a), resolve(b)

	if a.Kind != b.Kind {
		return false
	}

	switch a.Kind {
	case yaml.ScalarNode:
		nameA, _, isAssignmentA := strings.Cut(a.Value, "=")
		nameB, _, isAssignmentB := strings.Cut(b.Value, "=")

		return nameA == nameB && isAssignmentA == isAssignmentB
	case yaml.MappingNode:
		for _, key := range []string{"mountPath", "name", "ip"} {
			if value := scalarOf(a, key); value != "" || scalarOf(b, key) != "" {
				return value == scalarOf(b, key)
			}
		}
	}

	return sameValue(a, b)
}

// writeItems writes a list as planned. The items that are there are in the plan in their order.
func (w *writer) writeItems(plan []plannedItem, s slot, p place, path []any) {
	var values []*yaml.Node

	kept := 0

	for _, planned := range plan {
		switch {
		case planned.old < 0:
			values = append(values, planned.value)
		case !planned.remove:
			kept++
		case !w.checkShared(p.node.Content[planned.old], append(slices.Clone(path), planned.old), true):
			return
		}
	}

	switch {
	case kept == 0 && len(values) == 0:
		w.replace(&yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}, s, p, path)
	case w.inside(p).flow:
		w.writeFlowItems(plan, p, path)
	default:
		w.writeBlockItems(plan, s, p, path)
	}
}

func (w *writer) writeBlockItems(plan []plannedItem, s slot, p place, path []any) {
	items := w.items(p)
	quotes := quotesOf(p.node)
	column := w.lines().column(p.content) - 1

	at := s.at // new lines come below the line of this place
	if p.content > p.start {
		at = w.propertiesEnd(p)
	}

	if w.lines().line(at) == w.lines().line(p.content) {
		w.fail(p.node, path, "is a list on the line of another one: write it on lines of its own")

		return
	}

	var above *yaml.Node // the item that stays before

	for _, planned := range plan {
		if planned.old < 0 {
			above = nil
			w.insertLines(at, w.styleAt(at).itemLines(planned.value, column, quotes))

			continue
		}

		found := items[planned.old]
		at = found.value.end
		itemPath := append(slices.Clone(path), planned.old)

		switch start := w.lines().start(found.dash); {
		case planned.remove && !w.lines().blank(start, found.dash):
			w.fail(found.value.node, itemPath, "cannot be removed from its line")
		case planned.remove:
			w.removeLines(start, found.value.end, above)
		case planned.change != nil:
			w.change(planned.change, slot{kind: itemSlot, at: found.dash + 1, column: column, quotes: quotesLike(found.value.node)}, found.value, itemPath)
		}

		if !planned.remove {
			above = found.value.node
		}
	}
}
