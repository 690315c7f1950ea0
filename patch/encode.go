package patch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/types/k8s"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
	"go.yaml.in/yaml/v4"
)

// encode returns the documents as one YAML stream, separated by "---", after other text. The text of each is what Talos's own encoder makes
// of it without comments, a test says; one stream for all takes less time than an encoder for each. Each of the templates that another tool
// replaces stands in it letter by letter, whatever quotes are in it.
func encode(before string, documents []config.Document, templates []string) ([]byte, error) {
	const usual = 2 << 10 // bytes: the stream is written in small pieces

	var text bytes.Buffer

	text.Grow(len(before) + usual)
	text.WriteString(before)

	stream, err := newDumper(&text)
	if err != nil {
		return nil, fmt.Errorf("encoding: %w", err)
	}

	for _, document := range documents {
		value, err := encodable(document, templates)
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

// newDumper makes what writes documents. Lines are not folded, as by yaml.Marshal, which Talos's encoder calls.
func newDumper(to io.Writer) (*yaml.Dumper, error) {
	return yaml.NewDumper(to, yaml.WithV3Defaults(), yaml.WithLineWidth(-1))
}

// encodable returns what to encode for a document: the document itself, but for the v1alpha1 config and KubeAPIServerConfig. Those have
// fields that are written out although they are empty, and a patch that has them says more than it means.
func encodable(document config.Document, templates []string) (any, error) {
	isSparse := true

	switch document.(type) {
	case *v1alpha1.Config, *k8s.KubeAPIServerConfigV1Alpha1:
	default:
		isSparse = false
	}

	if !isSparse && len(templates) == 0 {
		return document, nil
	}

	node, err := encoder.NewEncoder(document, encoder.WithComments(encoder.CommentsDisabled)).Marshal()
	if err != nil {
		return nil, err
	}

	if isSparse {
		removeEmpty(node)
	}

	for _, template := range templates {
		if err := writeTemplate(node, template); err != nil {
			return nil, err
		}
	}

	return node, nil
}

// writeTemplate gives each text with the template in it the first style that writes the template as it is.
func writeTemplate(node *yaml.Node, template string) error {
	for _, child := range node.Content {
		if err := writeTemplate(child, template); err != nil {
			return err
		}
	}

	if node.Kind != yaml.ScalarNode || !strings.Contains(node.Value, template) {
		return nil
	}

	if address, err := netip.ParseAddr(node.Value); err == nil {
		node.Value = addressText(address)
	}

	for _, style := range []yaml.Style{node.Style, yaml.DoubleQuotedStyle, yaml.LiteralStyle} {
		var text bytes.Buffer

		node.Style = style

		stream, err := newDumper(&text)
		if err == nil {
			err = errors.Join(stream.Dump([]*yaml.Node{node}), stream.Close())
		}

		if err != nil || strings.Contains(text.String(), template) {
			return err
		}
	}

	return nil
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
