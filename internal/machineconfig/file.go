package machineconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"go.yaml.in/yaml/v4"
)

// Legacy is the kind of the document that holds machine: and cluster:, which says none.
const Legacy = "v1alpha1"

// File is a text and the documents in it. It does not change.
type File struct {
	text      []byte
	documents []*Document
	lines     func() *lines
	// aliases are the aliases of each node that has an anchor.
	aliases map[*yaml.Node][]*yaml.Node
}

// Document is a YAML document of a file. Documents without content are none.
type Document struct {
	APIVersion, Kind, Name string
	// Line is where it begins in the file.
	Line int
	// Root is its content, which may be no mapping.
	Root *yaml.Node
	// Directive tells that it holds a $patch directive: it acts on other documents, and is none that could be changed.
	Directive bool

	file *File
	// start and end are the document's part of the text, with its directives and the comments behind it.
	start, end int
}

// SyntaxError tells where a text is not YAML. It does not say what is there.
type SyntaxError struct{ Line int }

func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d is not YAML", e.Line) }

// errEncoding is about a text in UTF-16: places are found in UTF-8 alone.
var errEncoding = errors.New("the text is in UTF-16: write it in UTF-8")

// Parse reads a text. It fails with a [*SyntaxError], with a [*BoundError] for a text that its aliases make too large, and for
// one in UTF-16.
func Parse(text []byte) (*File, error) {
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return nil, errEncoding
	}

	f := &File{text: text, lines: sync.OnceValue(func() *lines { return newLines(text) })}

	var starts []*yaml.Node

	decoder := yaml.NewDecoder(bytes.NewReader(text))

	for {
		var document yaml.Node

		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			break
		}

		if err != nil {
			return nil, f.syntaxError(err)
		}

		starts = append(starts, &document)
	}

	for i, node := range starts {
		if len(node.Content) == 0 || isNull(node.Content[0]) {
			continue
		}

		d := &Document{file: f, Root: node.Content[0], Line: node.Line, start: f.at(node), end: len(text)}
		if i+1 < len(starts) {
			d.end = f.at(starts[i+1])
		}

		f.documents = append(f.documents, d)
	}

	if err := f.checkAliases(); err != nil { // before anything follows them
		return nil, err
	}

	for _, d := range f.documents {
		d.identify()
	}

	return f, nil
}

func (f *File) syntaxError(err error) error {
	var mark yaml.Mark

	if failed, ok := errors.AsType[*yaml.LoadError](err); ok {
		mark = failed.Mark
	}

	if mark.Line == 0 { // the reader counts bytes
		mark.Line = f.lines().line(min(mark.Index, len(f.text)))
	}

	return &SyntaxError{Line: mark.Line}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// identify finds what Talos tells documents apart by.
func (d *Document) identify() {
	if d.Root.Kind != yaml.MappingNode {
		return
	}

	d.APIVersion, d.Kind, d.Name = scalarOf(d.Root, "apiVersion"), scalarOf(d.Root, "kind"), scalarOf(d.Root, "name")
	d.Directive = hasDirective(d.Root)

	if d.Kind != "" {
		return
	}

	for _, key := range []string{"machine", "cluster", "debug", "persist"} {
		if lookup(d.Root, key) != nil {
			d.Kind, d.Name = Legacy, ""
		}
	}
}

// Text returns the text of the file, which the caller does not change.
func (f *File) Text() []byte { return f.text }

// Documents returns the documents of the file in their order.
func (f *File) Documents() []*Document { return f.documents }

// Find returns the document of a kind and name that can be changed, or nil.
func (f *File) Find(kind, name string) *Document {
	for _, d := range f.documents {
		if d.Kind == kind && d.Name == name && !d.Directive {
			return d
		}
	}

	return nil
}

// Get returns the value at a path of keys and indices, whatever anchor or merge key it comes from, or nil.
func (d *Document) Get(path ...any) *yaml.Node {
	n := d.Root

	for _, step := range path {
		n = resolve(n)

		switch step := step.(type) {
		case string:
			n = lookup(n, step)
		case int:
			if n.Kind != yaml.SequenceNode || step < 0 || step >= len(n.Content) {
				return nil
			}

			n = n.Content[step]
		}

		if n == nil {
			return nil
		}
	}

	return resolve(n)
}

func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}

	return n
}

// index returns which entry of a mapping has a key, or -1. Keys that stand in an anchor count too.
func index(mapping *yaml.Node, key string) int {
	if mapping.Kind != yaml.MappingNode {
		return -1
	}

	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if k := resolve(mapping.Content[i]); k.Kind == yaml.ScalarNode && k.Value == key && !isMerge(mapping.Content[i]) {
			return i / 2
		}
	}

	return -1
}

func isMerge(key *yaml.Node) bool { return key.ShortTag() == "!!merge" }

// lookup returns the value of a key of a mapping, or nil.
func lookup(mapping *yaml.Node, key string) *yaml.Node {
	if i := index(mapping, key); i >= 0 {
		return mapping.Content[2*i+1]
	}

	return mergedValue(mapping, key)
}

// mergedValue returns the value that a merge key gives a mapping, or nil.
func mergedValue(mapping *yaml.Node, key string) *yaml.Node {
	if mapping.Kind != yaml.MappingNode {
		return nil
	}

	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if !isMerge(mapping.Content[i]) {
			continue
		}

		source := resolve(mapping.Content[i+1])

		sources := []*yaml.Node{source}
		if source.Kind == yaml.SequenceNode {
			sources = source.Content
		}

		for _, source := range sources {
			if value := lookup(resolve(source), key); value != nil {
				return value
			}
		}
	}

	return nil
}

func scalarOf(mapping *yaml.Node, key string) string {
	if value := lookup(mapping, key); value != nil {
		if value = resolve(value); value.Kind == yaml.ScalarNode && !isNull(value) {
			return value.Value
		}
	}

	return ""
}

// hasDirective reports whether there is a $patch key anywhere in the node.
func hasDirective(node *yaml.Node) bool {
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 0 && child.Value == "$patch" || hasDirective(child) {
			return true
		}
	}

	return false
}
