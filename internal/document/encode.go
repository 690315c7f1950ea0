// Package document writes Talos's typed documents as a patch needs them: what is not set is not there.
package document

import (
	"bytes"
	"fmt"
	"io"

	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/types/k8s"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
	"go.yaml.in/yaml/v4"
)

// Encode returns documents as one YAML stream, separated by "---", after other text. The text of each is what Talos's own
// encoder makes of it without comments, less the fields that this writes although they are empty. One stream for all takes less time
// than an encoder for each.
//
// Where edit is not nil, it may change the tree of each document before that is written.
func Encode(before string, documents []config.Document, edit func(*yaml.Node) error) ([]byte, error) {
	const usual = 2 << 10 // bytes: the stream is written in small pieces

	var text bytes.Buffer

	text.Grow(len(before) + usual)
	text.WriteString(before)

	stream, err := NewDumper(&text)
	if err != nil {
		return nil, fmt.Errorf("encoding: %w", err)
	}

	for _, document := range documents {
		value, err := encodable(document, edit)
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

// NewDumper makes what writes documents. Lines are not folded, as by yaml.Marshal, which Talos's encoder calls.
func NewDumper(to io.Writer) (*yaml.Dumper, error) {
	return yaml.NewDumper(to, yaml.WithV3Defaults(), yaml.WithLineWidth(-1))
}

// encodable returns what to encode for a document: the document itself, but for the v1alpha1 config and KubeAPIServerConfig. Those have
// fields that are written out although they are empty, and a patch that has them says more than it means.
func encodable(document config.Document, edit func(*yaml.Node) error) (any, error) {
	isSparse := true

	switch document.(type) {
	case *v1alpha1.Config, *k8s.KubeAPIServerConfigV1Alpha1:
	default:
		isSparse = false
	}

	if !isSparse && edit == nil {
		return document, nil
	}

	node, err := encoder.NewEncoder(document, encoder.WithComments(encoder.CommentsDisabled)).Marshal()
	if err != nil {
		return nil, err
	}

	if isSparse {
		removeEmpty(node)
	}

	if edit != nil {
		err = edit(node)
	}

	return node, err
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
