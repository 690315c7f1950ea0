package fleet

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/internal/lazyregexp"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// strict holds YAML against a Go type before it is decoded. A decoder stops at the first fault, and calls a misspelt field
// unknown without saying what it may have meant; a file that people write by hand deserves all faults at once, each with
// its place and what to write instead.
type strict struct {
	file   string
	node   string // the node of the fleet that is looked at
	faults Faults
	// hints are those for unknown fields that were found already: thousands of nodes have the same.
	hints map[string]string
}

func (s *strict) fault(at *yaml.Node, path, format string, args ...any) {
	s.faults = append(s.faults, Fault{
		File: s.file, Line: at.Line, Column: at.Column, Node: s.node, Field: path, Message: fmt.Sprintf(format, args...),
	})
}

var (
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	yamlUnmarshaler = reflect.TypeFor[yaml.Unmarshaler]()
)

// check reports what of the YAML does not fit the type.
func (s *strict) check(node *yaml.Node, want reflect.Type, path string) {
	node = resolved(node)

	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		s.fault(node, path, "has no value: write one, or leave the field out")

		return
	}

	if pointer := reflect.PointerTo(want); pointer.Implements(textUnmarshaler) || pointer.Implements(yamlUnmarshaler) {
		s.checkText(node, want, path)

		return
	}

	switch want.Kind() {
	case reflect.Pointer:
		s.check(node, want.Elem(), path)
	case reflect.Struct:
		s.checkStruct(node, want, path)
	case reflect.Map:
		s.checkMap(node, want.Elem(), path)
	case reflect.Slice:
		s.checkList(node, want.Elem(), path)
	default:
		s.checkScalar(node, want, path)
	}
}

// checkText checks what reads itself, which a text does and the decoder asks of it.
func (s *strict) checkText(node *yaml.Node, want reflect.Type, path string) {
	value := reflect.New(want)

	if err := node.Decode(value.Interface()); err != nil {
		message := "cannot be read: write it as in the example that init prints"

		if reader, ok := value.Interface().(encoding.TextUnmarshaler); ok && node.Kind == yaml.ScalarNode {
			if err := reader.UnmarshalText([]byte(node.Value)); err != nil && !secret.Looks(err.Error()) {
				message = err.Error()
			}
		}

		s.fault(node, path, "%s", message)
	}
}

func (s *strict) checkStruct(node *yaml.Node, want reflect.Type, path string) {
	if !s.isMapping(node, path, instead(node, want)) {
		return
	}

	fields := fieldsOf(want)

	s.eachPair(node, path, func(key, value *yaml.Node) {
		if field, ok := fields[key.Value]; ok {
			s.check(value, field, join(path, key.Value))

			return
		}

		s.unknown(key, value, path, want)
	})
}

// instead says how the mapping of a type is written that stands there as something else.
func instead(node *yaml.Node, want reflect.Type) string {
	isText := node.Kind == yaml.ScalarNode && node.Tag == "!!str"

	switch want {
	case reflect.TypeFor[Key]():
		if _, err := authkey.ParseSource(node.Value); isText && err == nil {
			return "write {source: " + node.Value + "}"
		}

		return "write {source: SOURCE}, with mint, once, env, file:PATH or none for SOURCE"
	case reflect.TypeFor[Node]():
		if isText && isAddress(node.Value) {
			return "write {address: " + node.Value + "}"
		}

		return "write {address: 192.168.1.10, role: controlplane}, or a field a line"
	}

	return "write NAME: VALUE, a line each"
}

func (s *strict) unknown(key, value *yaml.Node, path string, want reflect.Type) {
	if value := resolved(value); value.Kind == yaml.ScalarNode && secret.Looks(value.Value) {
		s.fault(value, join(path, key.Value), "%s", secretMessage)

		return
	}

	place := want.Name() + " " + key.Value
	hint, known := s.hints[place]

	if !known {
		hint = hintFor(key, value, want)

		if s.hints == nil {
			s.hints = map[string]string{}
		}

		s.hints[place] = hint
	}

	s.fault(key, path, "unknown field %s: %s", quote.Value(key.Value), hint)
}

func (s *strict) checkMap(node *yaml.Node, want reflect.Type, path string) {
	if s.isMapping(node, path, "write NAME: VALUE, a line each, without dashes") {
		s.eachPair(node, path, func(key, value *yaml.Node) { s.check(value, want, join(path, key.Value)) })
	}
}

// isMapping reports what is no mapping, and what to write instead.
func (s *strict) isMapping(node *yaml.Node, path, instead string) bool {
	if node.Kind == yaml.MappingNode {
		return true
	}

	if node.Kind == yaml.ScalarNode && gluedPair().MatchString(node.Value) {
		instead = "put a blank behind the colon"
	}

	s.misshapen(node, path, "is not a mapping: "+instead)

	return false
}

// misshapen reports what has another form than the field, and says no more of a secret.
func (s *strict) misshapen(node *yaml.Node, path, message string) {
	if node.Kind == yaml.ScalarNode && secret.Looks(node.Value) {
		message = secretMessage
	}

	s.fault(node, path, "%s", message)
}

// gluedPair is a name and a value that YAML takes for one text.
var gluedPair = lazyregexp.New(`^[A-Za-z]+:[^ /:]+$`)

// eachPair goes over the pairs of a mapping, and reports keys that are no text or are there twice.
func (s *strict) eachPair(node *yaml.Node, path string, visit func(key, value *yaml.Node)) {
	seen := map[string]int{}

	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]

		switch line, twice := seen[key.Value]; {
		case key.Value == "<<":
			s.fault(key, path, "merge keys are not read: put what nodes have in common at the top of the file")
		case key.Kind != yaml.ScalarNode:
			s.fault(key, path, "a key is not text: write NAME: VALUE")
		case secret.Looks(key.Value):
			s.fault(key, path, "%s", secretMessage)
		case twice:
			s.fault(key, path, "%s is there twice, first in line %d: keep one", quote.Value(key.Value), line)
		default:
			seen[key.Value] = key.Line
			visit(key, value)
		}
	}
}

func (s *strict) checkList(node *yaml.Node, want reflect.Type, path string) {
	if node.Kind != yaml.SequenceNode {
		s.misshapen(node, path, "is not a list: write "+asList(node))

		return
	}

	for i, item := range node.Content {
		s.check(item, want, path+"["+strconv.Itoa(i)+"]")
	}
}

// asList writes as a list what may have been meant as one.
func asList(node *yaml.Node) string {
	if node.Kind != yaml.ScalarNode || node.Value == "" || strings.HasPrefix(node.Tag, "!") && !strings.HasPrefix(node.Tag, "!!") {
		return "[ONE, TWO]"
	}

	items := strings.FieldsFunc(node.Value, func(r rune) bool { return strings.ContainsRune(", \n", r) })
	for i, item := range items {
		items[i] = quote.Value(item)
	}

	return "[" + strings.Join(items, ", ") + "]"
}

const secretMessage = "holds what looks like a key: no secret belongs into this file; write authKey: {source: ...} and give the key by a variable or a file"

func (s *strict) checkScalar(node *yaml.Node, want reflect.Type, path string) {
	if node.Kind != yaml.ScalarNode {
		s.fault(node, path, "%s", unlikeScalar(node, want))

		return
	}

	isTagged := strings.HasPrefix(node.Tag, "!") && !strings.HasPrefix(node.Tag, "!!")

	switch {
	case secret.Looks(node.Value):
		s.fault(node, path, "%s", secretMessage)
	case isTagged && node.Value == "":
		s.fault(node, path, "%s is a tag to YAML: write it in quotes", quote.Value(node.Tag))
	case isTagged:
		s.fault(node, path, "has the tag %s, which is not read here: write the value alone", quote.Value(node.Tag))
	case want.Kind() == reflect.String:
		if node.Tag != "!!str" {
			s.fault(node, path, "%s is not text to YAML: write it in quotes", quote.Value(node.Value))
		}
	case want.Kind() == reflect.Bool && node.Tag != "!!bool", node.Decode(reflect.New(want).Interface()) != nil:
		s.fault(node, path, "is %s: write %s", quote.Value(node.Value), form(want))
	}
}

// unlikeScalar says what to write for a list or a mapping where there is to be a single value.
func unlikeScalar(node *yaml.Node, want reflect.Type) string {
	const pair = 2 // a key and a value

	switch {
	case node.Kind == yaml.MappingNode && len(node.Content) >= pair && node.Content[0].Kind == yaml.MappingNode:
		return "is a template that nothing rendered: render it first"
	case node.Kind == yaml.MappingNode && len(node.Content) == pair && node.Content[1].Kind == yaml.ScalarNode && want.Kind() == reflect.String:
		return "has a blank behind a colon, which makes a mapping of it: leave the blank out, or write it in quotes"
	}

	return "is not a single value: write " + form(want)
}

// form says what a kind of value is written as.
func form(want reflect.Type) string {
	switch want.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Uint16:
		return "a number from 0 to 65535"
	case reflect.Int, reflect.Int64, reflect.Uint, reflect.Uint64:
		return "a whole number"
	default:
		return "text"
	}
}

// resolved follows aliases.
func resolved(node *yaml.Node) *yaml.Node {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}

	return node
}

// known keeps what fieldsOf returned: there are three types, and a node of one of them ten thousand times.
var known sync.Map

// fieldsOf returns the types of the fields of a struct by their names in YAML, those of embedded structs among them. The
// caller does not change it.
func fieldsOf(want reflect.Type) map[string]reflect.Type {
	if fields, ok := known.Load(want); ok {
		return fields.(map[string]reflect.Type) //nolint:forcetypeassert // nothing else is stored
	}

	fields := map[string]reflect.Type{}
	defer known.Store(want, fields)

	for field := range structFields(want) {
		fields[field.name] = field.Type
	}

	return fields
}

// structField is a field of a struct and its name in YAML.
type structField struct {
	reflect.StructField

	name string
}

// structFields goes over the fields that YAML can set, in the order of their declaration.
func structFields(want reflect.Type) func(yield func(structField) bool) {
	return func(yield func(structField) bool) { eachField(want, yield) }
}

func eachField(want reflect.Type, yield func(structField) bool) bool {
	for i := range want.NumField() {
		field := want.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")

		switch {
		case !field.IsExported() || name == "-":
		case slices.Contains(strings.Split(options, ","), "inline"):
			if !eachField(field.Type, yield) {
				return false
			}
		case name == "":
		default:
			if !yield(structField{field, name}) {
				return false
			}
		}
	}

	return true
}

func join(path, name string) string {
	if path == "" {
		return name
	}

	return path + "." + name
}
