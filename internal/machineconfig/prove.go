package machineconfig

import (
	"fmt"
	"path"
	"slices"

	"go.yaml.in/yaml/v4"
)

// Field is a part of a machine config that an edit may change.
type Field struct {
	// Kind and Name are those of its document. Name may be a pattern, as of [path.Match].
	Kind, Name string
	// Path are its keys, none for the document as a whole.
	Path []string
	// Grows tells that the field is a list that may gain items, and loses none.
	Grows bool
}

func (f Field) isOf(d *Document) bool {
	matches, err := path.Match(f.Name, d.Name)

	return f.Kind == d.Kind && matches && err == nil && !d.Directive
}

// ChangeError tells what an edit would have changed besides.
type ChangeError struct {
	Path string
	Line int
}

func (e *ChangeError) Error() string {
	return fmt.Sprintf("%s (line %d) would change, which is not ours", e.Path, e.Line)
}

// Prove fails with a [*ChangeError] if a file differs from another in anything but the fields: in the value, style or
// place of a node, or in what an anchor stands for. Fields may come and go with the mappings and documents that hold
// nothing else.
func Prove(before, after *File, fields []Field) error {
	p := prover{fields: fields, equal: map[[2]*yaml.Node]bool{}}

	as, bs := before.documents, after.documents

	for len(as) > 0 || len(bs) > 0 {
		switch {
		case len(as) > 0 && len(bs) > 0 && isSameDocument(as[0], bs[0]):
			if err := p.document(as[0], bs[0]); err != nil {
				return err
			}

			as, bs = as[1:], bs[1:]
		case len(bs) > 0 && p.document(nil, bs[0]) == nil:
			bs = bs[1:]
		case len(as) > 0:
			if err := p.document(as[0], nil); err != nil {
				return err
			}

			as = as[1:]
		default:
			return p.document(nil, bs[0])
		}
	}

	return nil
}

func isSameDocument(a, b *Document) bool {
	return a.APIVersion == b.APIVersion && a.Kind == b.Kind && a.Name == b.Name && a.Directive == b.Directive
}

type prover struct {
	fields []Field
	// equal remembers what was compared behind aliases.
	equal map[[2]*yaml.Node]bool
}

// rest is what is left of a field's path at some node.
type rest struct {
	path  []string
	grows bool
}

// document compares two documents, one of which may be missing.
func (p *prover) document(a, b *Document) error {
	d, nodeA, nodeB := a, (*yaml.Node)(nil), (*yaml.Node)(nil)

	if a != nil {
		nodeA = a.Root
	}

	if b != nil {
		d, nodeB = b, b.Root
	}

	var rests []rest

	for _, field := range p.fields {
		if field.isOf(d) {
			rests = append(rests, rest{field.Path, field.Grows})
		}
	}

	name := ""
	if d.Kind != Legacy && d.Kind != "" {
		name = KindName(d.Kind)
	}

	if (a == nil || b == nil) && len(rests) > 0 { // what names a document comes and goes with it
		for _, key := range []string{"apiVersion", "kind", "name"} {
			rests = append(rests, rest{path: []string{key}})
		}
	}

	return p.compare(nodeA, nodeB, rests, &trail{name: name})
}

func (p *prover) compare(a, b *yaml.Node, rests []rest, at *trail) error {
	for _, r := range rests {
		if len(r.path) == 0 {
			return grown(a, b, r, at)
		}
	}

	if len(rests) > 0 && canHold(a) && canHold(b) {
		return p.compareAround(a, b, rests, at)
	}

	if a == nil || b == nil || a.Kind != b.Kind || a.Style != b.Style || a.Anchor != b.Anchor || a.Value != b.Value ||
		a.ShortTag() != b.ShortTag() || len(a.Content) != len(b.Content) {
		return differ(a, b, at)
	}

	if a.Kind == yaml.AliasNode {
		return p.compareAliases(a, b, at)
	}

	for i := range a.Content {
		if err := p.compare(a.Content[i], b.Content[i], nil, at.child(a, i)); err != nil {
			return err
		}
	}

	return nil
}

func differ(a, b *yaml.Node, at *trail) error {
	if a == nil {
		a = b
	}

	return &ChangeError{Path: at.String(), Line: a.Line}
}

// trail is the way to a node. It becomes text only where something differs.
type trail struct {
	above *trail
	name  string
	key   *yaml.Node
	index int
}

func (t *trail) child(n *yaml.Node, i int) *trail {
	if n.Kind == yaml.SequenceNode {
		return &trail{above: t, index: i}
	}

	return t.under(n.Content[i-i%2])
}

func (t *trail) under(key *yaml.Node) *trail { return &trail{above: t, key: key} }

// String names keys that look like some: a value that stands where a key belongs is not repeated.
func (t *trail) String() string {
	switch {
	case t.above == nil:
		return t.name
	case t.key == nil:
		return fmt.Sprintf("%s[%d]", t.above, t.index)
	case t.above.above == nil && t.above.name == "":
		return KeyName(t.key)
	}

	return t.above.String() + "." + KeyName(t.key)
}

// grown compares a field that may only grow.
func grown(a, b *yaml.Node, r rest, at *trail) error {
	if !r.grows || a == nil || isNull(resolve(a)) {
		return nil
	}

	if a = resolve(a); b == nil || a.Kind != yaml.SequenceNode {
		return differ(a, b, at)
	}

	next := 0
	items := resolve(b).Content

	for i, item := range a.Content {
		found := slices.IndexFunc(items[next:], func(other *yaml.Node) bool { return sameValue(item, other) })
		if found < 0 {
			return differ(item, nil, at.child(a, i))
		}

		next += found + 1
	}

	return nil
}

// canHold reports whether a node can hold a field: a mapping, or nothing.
func canHold(n *yaml.Node) bool {
	return n == nil || n.Kind == yaml.MappingNode || n.Kind == yaml.ScalarNode && isNull(n)
}

// compareAround compares two mappings, of which one may be nothing, that hold fields.
func (p *prover) compareAround(a, b *yaml.Node, rests []rest, at *trail) error {
	if a != nil && b != nil && a.Anchor != b.Anchor {
		return differ(a, b, at)
	}

	as, bs := entriesOf(a), entriesOf(b)

	for len(as) > 0 || len(bs) > 0 {
		var keyA, keyB, valueA, valueB *yaml.Node

		switch {
		case len(as) > 0 && len(bs) > 0 && sameKey(as[0], bs[0]):
			keyA, valueA, keyB, valueB = as[0], as[1], bs[0], bs[1]

			if err := p.compare(keyA, keyB, nil, at.under(keyA)); err != nil {
				return err
			}
		case len(bs) > 0 && !hasKey(as, bs[0]):
			keyB, valueB = bs[0], bs[1]
		case len(as) > 0:
			keyA, valueA = as[0], as[1]
		default:
			return differ(bs[0], nil, at.under(bs[0]))
		}

		key := keyA
		if key == nil {
			key = keyB
		}

		if err := p.compare(valueA, valueB, below(rests, key), at.under(key)); err != nil {
			return err
		}

		if keyA != nil {
			as = as[2:]
		}

		if keyB != nil {
			bs = bs[2:]
		}
	}

	return nil
}

func entriesOf(n *yaml.Node) []*yaml.Node {
	if n == nil {
		return nil
	}

	return n.Content
}

func hasKey(entries []*yaml.Node, key *yaml.Node) bool {
	for i := 0; i < len(entries); i += 2 {
		if sameKey(entries[i], key) {
			return true
		}
	}

	return false
}

func sameKey(a, b *yaml.Node) bool {
	a, b = resolve(a), resolve(b)

	return a.Kind == yaml.ScalarNode && b.Kind == yaml.ScalarNode && a.Value == b.Value && a.ShortTag() == b.ShortTag()
}

// below returns what is left of the fields under a key.
func below(rests []rest, key *yaml.Node) []rest {
	var found []rest

	for _, r := range rests {
		if key = resolve(key); key.Kind == yaml.ScalarNode && len(r.path) > 0 && key.Value == r.path[0] {
			found = append(found, rest{r.path[1:], r.grows})
		}
	}

	return found
}

// compareAliases compares what two aliases stand for, each pair once.
func (p *prover) compareAliases(a, b *yaml.Node, at *trail) error {
	pair := [2]*yaml.Node{a.Alias, b.Alias}
	if p.equal[pair] {
		return nil
	}

	p.equal[pair] = true

	return p.compare(a.Alias, b.Alias, nil, at)
}
