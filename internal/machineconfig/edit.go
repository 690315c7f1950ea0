package machineconfig

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Edit collects changes of a file. Its methods remember their errors for [Edit.Bytes].
type Edit struct {
	file    *File
	changes map[*Document]*change
	removed map[*Document]bool
	added   []string
	errs    []error
}

// change is what becomes of a value.
type change struct {
	// value replaces it, unless it is nil.
	value *yaml.Node
	// remove takes it out.
	remove bool
	// keys and items are the changes in it, fields those keys in the order in which they were named.
	keys     map[string]*change
	fields   []string
	items    map[int]*change
	appended []*yaml.Node
}

// Edit begins an edit. A file may have any number of them, of which none sees another.
func (f *File) Edit() *Edit {
	return &Edit{file: f, changes: map[*Document]*change{}, removed: map[*Document]bool{}}
}

// Set makes the value at a path of keys (string) and indices (int) this one: a text, a list of them, a number, a mapping,
// or a node. Mappings on the way that are not there are made.
//
// A list or a mapping that is there keeps the bytes of what it has in common with the value. Items are the same where
// their text is, or the name in front of its "=", or their mountPath, name or ip.
func (e *Edit) Set(d *Document, value any, path ...any) {
	n, err := toNode(value)
	if err != nil {
		e.errs = append(e.errs, fmt.Errorf("%s: %w", pathText(path), err))

		return
	}

	c := e.at(d, path)
	*c = change{value: n}
}

// Append adds a value to the end of the list at a path, which is made where it is not there.
func (e *Edit) Append(d *Document, value any, path ...any) {
	n, err := toNode(value)
	if err != nil {
		e.errs = append(e.errs, fmt.Errorf("%s: %w", pathText(path), err))

		return
	}

	c := e.at(d, path)
	c.appended = append(c.appended, n)
}

// Remove takes out a key, or an item of a list, with the comment on its line. What is not there is no error. Indices are
// those of the file, whatever else is removed.
func (e *Edit) Remove(d *Document, path ...any) {
	if d.Get(path...) == nil {
		return
	}

	*e.at(d, path) = change{remove: true}
}

// AddDocument puts a document behind the others, without the line that separates it.
func (e *Edit) AddDocument(text []byte) {
	e.added = append(e.added, string(text))
}

// RemoveDocument takes a document out, with the comments in it and behind it.
func (e *Edit) RemoveDocument(d *Document) {
	e.removed[d] = true
}

// Check fails with a [*ChangeError] if a file does not have the values that were set and appended, or has keys that were removed.
func (e *Edit) Check(after *File) error {
	for _, d := range e.file.documents {
		if c := e.changes[d]; c != nil && !e.removed[d] {
			if err := c.check(after.Find(d.Kind, d.Name), nil); err != nil {
				return err
			}
		}
	}

	return nil
}

func (c *change) check(d *Document, path []any) error {
	if d == nil {
		return &ChangeError{Path: pathText(path)}
	}

	found := d.Get(path...)
	if c.remove && len(path) > 0 { // an index is that of the file before
		if _, isKey := path[len(path)-1].(string); isKey && found != nil {
			return &ChangeError{Path: pathText(path), Line: found.Line}
		}
	}

	if c.value != nil && (found == nil || !sameValue(found, c.value)) {
		return &ChangeError{Path: pathText(path), Line: d.KeyLine(path...)}
	}

	if !endsIn(found, c.appended) {
		return &ChangeError{Path: pathText(path), Line: d.KeyLine(path...)}
	}

	for _, key := range c.fields {
		if err := c.keys[key].check(d, append(slices.Clone(path), key)); err != nil {
			return err
		}
	}

	return nil
}

// endsIn reports whether a list, which may be missing, has these items at its end.
func endsIn(list *yaml.Node, items []*yaml.Node) bool {
	if len(items) == 0 {
		return true
	}

	return list != nil && len(list.Content) >= len(items) && slices.EqualFunc(list.Content[len(list.Content)-len(items):], items, sameValue)
}

// at returns the change of what is at a path, making those above it.
func (e *Edit) at(d *Document, path []any) *change {
	c := e.changes[d]
	if c == nil {
		c = &change{}
		e.changes[d] = c
	}

	for i, step := range path {
		if c.value != nil || c.remove {
			e.errs = append(e.errs, fmt.Errorf("%s is set or removed as a whole", pathText(path[:i])))

			return &change{}
		}

		c = c.child(step)
	}

	return c
}

func (c *change) child(step any) *change {
	if i, ok := step.(int); ok {
		if c.items == nil {
			c.items = map[int]*change{}
		}

		if c.items[i] == nil {
			c.items[i] = &change{}
		}

		return c.items[i]
	}

	key, _ := step.(string)

	if c.keys == nil {
		c.keys = map[string]*change{}
	}

	if c.keys[key] == nil {
		c.keys[key] = &change{}
		c.fields = append(c.fields, key)
	}

	return c.keys[key]
}

// made returns the value that a change makes where nothing is, or nil.
func (c *change) made() *yaml.Node {
	switch {
	case c.value != nil:
		return c.value
	case len(c.appended) > 0:
		return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: c.appended}
	}

	made := mapping()

	for _, key := range c.fields {
		if value := c.keys[key].made(); value != nil {
			made.Content = append(made.Content, textNode(key), value)
		}
	}

	if len(made.Content) == 0 {
		return nil
	}

	return made
}

// Splice is a replacement of a part of a text, by its bytes.
type Splice struct {
	Start, End int
	Text       string
}

// Bytes returns the text with the changes. It fails with an [*EditError] for what cannot be changed without changing
// something else.
func (e *Edit) Bytes() ([]byte, error) {
	splices, err := e.Splices()
	if err != nil {
		return nil, err
	}

	return Spliced(e.file.text, splices), nil
}

// Splices returns the changes as replacements in the text, in their order, of which no two overlap. It fails as
// [Edit.Bytes] does.
func (e *Edit) Splices() ([]Splice, error) {
	w := &writer{File: e.file}

	for _, d := range e.file.documents {
		switch c := e.changes[d]; {
		case e.removed[d]:
			w.removeDocument(d)
		case c != nil:
			w.document, w.style = d, e.file.styleOf(d)
			w.change(c, slot{kind: rootSlot}, e.file.place(d.Root, e.file.at(d.Root), scope{}), nil)
		}
	}

	w.addDocuments(e.added)

	if err := errors.Join(append(e.errs, w.errs...)...); err != nil {
		return nil, err
	}

	return w.sorted()
}

// writer turns changes into splices.
type writer struct {
	*File

	document *Document
	style    style
	splices  []Splice
	errs     []error
}

// EditError tells what cannot be changed without changing something else.
type EditError struct {
	Path   string
	Line   int
	Reason string
}

func (e *EditError) Error() string { return fmt.Sprintf("%s (line %d) %s", e.Path, e.Line, e.Reason) }

func (w *writer) fail(at *yaml.Node, path []any, format string, args ...any) {
	w.errs = append(w.errs, &EditError{pathText(path), at.Line, fmt.Sprintf(format, args...)})
}

func (w *writer) splice(start, end int, text string) {
	w.splices = append(w.splices, Splice{start, end, text})
}

func (w *writer) sorted() ([]Splice, error) {
	slices.SortStableFunc(w.splices, func(a, b Splice) int {
		switch insertA, insertB := a.Start == a.End, b.Start == b.End; {
		case a.Start != b.Start:
			return a.Start - b.Start
		case insertA && !insertB:
			return -1
		case insertB && !insertA:
			return 1
		}

		return 0
	})

	for i := 1; i < len(w.splices); i++ {
		if start := w.splices[i].Start; start < w.splices[i-1].End {
			return nil, &EditError{"", w.lines().line(start), "is changed in two ways at once"}
		}
	}

	return w.splices, nil
}

func pathText(path []any) string {
	var b strings.Builder

	for i, step := range path {
		switch step := step.(type) {
		case string:
			if i > 0 {
				b.WriteByte('.')
			}

			b.WriteString(step)
		case int:
			b.WriteString("[" + strconv.Itoa(step) + "]")
		}
	}

	return b.String()
}
