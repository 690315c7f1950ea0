package machineconfig

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

var errValue = errors.New("a value that cannot be written")

// toNode returns the node of a value: a node, a text, a number, a list, a mapping, or a struct with YAML tags. It does not
// ask the YAML library, whose way from values to nodes leads through text and changes some that have several lines.
func toNode(value any) (*yaml.Node, error) {
	if n, ok := value.(*yaml.Node); ok {
		return n, nil
	}

	return reflected(reflect.ValueOf(value))
}

func reflected(v reflect.Value) (*yaml.Node, error) {
	if v.IsValid() && v.CanInterface() {
		if _, ok := v.Interface().(yaml.Marshaler); ok {
			var n yaml.Node

			return &n, n.Encode(v.Interface())
		}

		if m, ok := v.Interface().(encoding.TextMarshaler); ok {
			text, err := m.MarshalText()

			return textNode(string(text)), err
		}
	}

	scalar := func(tag, text string) (*yaml.Node, error) {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text}, nil
	}

	switch v.Kind() {
	case reflect.String:
		return textNode(v.String()), nil
	case reflect.Bool:
		return scalar("!!bool", strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return scalar("!!int", strconv.FormatInt(v.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return scalar("!!int", strconv.FormatUint(v.Uint(), 10))
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return scalar("!!null", "null")
		}

		return reflected(v.Elem())
	case reflect.Slice:
		list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}

		for i := range v.Len() {
			item, err := reflected(v.Index(i))
			if err != nil {
				return nil, err
			}

			list.Content = append(list.Content, item)
		}

		return list, nil
	case reflect.Map:
		return reflectedMap(v)
	case reflect.Struct:
		return reflectedStruct(v)
	}

	return nil, errValue
}

func reflectedMap(v reflect.Value) (*yaml.Node, error) {
	n := mapping()

	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })

	for _, key := range keys {
		value, err := reflected(v.MapIndex(key))
		if err != nil {
			return nil, err
		}

		n.Content = append(n.Content, textNode(fmt.Sprint(key)), value)
	}

	return n, nil
}

func reflectedStruct(v reflect.Value) (*yaml.Node, error) {
	n := mapping()

	for _, field := range reflect.VisibleFields(v.Type()) {
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")

		value := v.FieldByIndex(field.Index)
		if !field.IsExported() || name == "-" || strings.Contains(options, "omitempty") && isOmitted(value) || strings.Contains(options, "inline") {
			continue // the fields of what is inlined are visible ones
		}

		if name == "" {
			name = strings.ToLower(field.Name)
		}

		child, err := reflected(value)
		if err != nil {
			return nil, err
		}

		n.Content = append(n.Content, textNode(name), child)
	}

	return n, nil
}

func isOmitted(v reflect.Value) bool {
	if zeroer, ok := v.Interface().(interface{ IsZero() bool }); ok {
		return zeroer.IsZero()
	}

	return v.IsZero() || (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0
}
