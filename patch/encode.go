package patch

import (
	"bytes"
	"fmt"

	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/types/k8s"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
	"go.yaml.in/yaml/v4"
)

// encode returns the documents as one YAML stream, separated by "---", after other text. The text of each is what Talos's own encoder makes
// of it without comments, a test says; one stream for all takes less time than an encoder for each.
func encode(before string, documents []config.Document) ([]byte, error) {
	var text bytes.Buffer

	text.WriteString(before)

	// lines are not folded, as by yaml.Marshal, which Talos's encoder calls
	stream, err := yaml.NewDumper(&text, yaml.WithV3Defaults(), yaml.WithLineWidth(-1))
	if err != nil {
		return nil, fmt.Errorf("encoding: %w", err)
	}

	for _, document := range documents {
		value, err := encodable(document)
		if err == nil {
			err = stream.Dump(value)
		}

		if err != nil {
			return nil, fmt.Errorf("encoding %s: %w", document.Kind(), err)
		}
	}

	if err := stream.Close(); err != nil {
		return nil, fmt.Errorf("encoding: %w", err)
	}

	return text.Bytes(), nil
}

// encodable returns what to encode for a document: the document itself, but for the v1alpha1 config and KubeAPIServerConfig. Those have
// fields that are written out although they are empty, and a patch that has them says more than it means.
func encodable(document config.Document) (any, error) {
	switch document.(type) {
	case *v1alpha1.Config, *k8s.KubeAPIServerConfigV1Alpha1:
	default:
		return document, nil
	}

	node, err := encoder.NewEncoder(document, encoder.WithComments(encoder.CommentsDisabled)).Marshal()
	if err != nil {
		return nil, err
	}

	removeEmpty(node)

	return node, nil
}

// removeEmpty removes the entries of mappings that hold nothing: null, an empty string, an empty list or mapping.
func removeEmpty(node *yaml.Node) {
	kept := node.Content[:0]

	for i, child := range node.Content {
		removeEmpty(child)

		if node.Kind != yaml.MappingNode {
			kept = append(kept, child)
		} else if i%2 == 1 && !isEmpty(child) {
			kept = append(kept, node.Content[i-1], child)
		}
	}

	node.Content = kept
}

func isEmpty(node *yaml.Node) bool {
	if node.Kind == yaml.ScalarNode {
		return node.Value == "" || node.Tag == "!!null"
	}

	return len(node.Content) == 0
}
