package patch

import (
	"fmt"

	"go.yaml.in/yaml/v4"
)

// lookup returns the value of a key of a mapping, or nil.
func lookup(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}

	return nil
}

func scalarOf(mapping *yaml.Node, key string) string {
	if value := lookup(mapping, key); value != nil && value.Kind == yaml.ScalarNode {
		return value.Value
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

// setPath sets the value at a path of keys, making the mappings on the way that are not there. Everything else in the
// document, comments too, stays as it is.
func setPath(document *yaml.Node, value any, path ...string) error {
	node := document.Content[0]

	for _, key := range path {
		if node.Kind != yaml.MappingNode {
			return fmt.Errorf("%s is not in a mapping: write it out without YAML aliases", key)
		}

		child := lookup(node, key)
		if child == nil {
			child = &yaml.Node{Kind: yaml.MappingNode}
			node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, child)
		} else if child.Kind == yaml.ScalarNode && child.Tag == "!!null" {
			*child = yaml.Node{Kind: yaml.MappingNode, HeadComment: child.HeadComment, LineComment: child.LineComment, FootComment: child.FootComment}
		}

		if len(child.Content) == 0 {
			child.Style = 0 // {} is how an empty mapping is written, not how a filled one is
		}

		node = child
	}

	var replacement yaml.Node
	if err := replacement.Encode(value); err != nil {
		return err
	}

	node.Kind, node.Tag, node.Value, node.Content, node.Alias = replacement.Kind, replacement.Tag, replacement.Value, replacement.Content, nil
	node.Style = 0

	return nil
}
