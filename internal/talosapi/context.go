package talosapi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/client"
	clientconfig "github.com/siderolabs/talos/pkg/machinery/client/config"
	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

// ErrContextDiffers tells that there is a context of the name already, which is another one.
var ErrContextDiffers = errors.New("there is a context of that name already, and it is another one")

// AddContext puts a context into a client configuration: the credentials are those of the context from, or of the current
// one where that is empty, the endpoints and nodes those that are given. Everything else keeps its bytes: other contexts,
// comments, the current context. One of the same name is left alone: changed is false where it is the same, and else it
// fails with [ErrContextDiffers]. No error repeats anything of the configuration.
func AddContext(talosconfig []byte, from, name string, endpoints, nodes []string) (text []byte, changed bool, err error) {
	file, err := machineconfig.Parse(talosconfig)
	if err != nil || len(file.Documents()) != 1 {
		return nil, false, errors.New("the talosconfig cannot be read: check that it is YAML as talosctl writes it")
	}

	document := file.Documents()[0]

	if from == "" {
		if current := document.Get("context"); current != nil {
			from = current.Value
		}
	}

	source := document.Get("contexts", from)
	if source == nil || source.Kind != yaml.MappingNode {
		contexts := 0
		if all := document.Get("contexts"); all != nil {
			contexts = len(all.Content)
		}

		return nil, false, noContext(from, contexts)
	}

	made := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	add := func(key string, value *yaml.Node) {
		made.Content = append(made.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
	}

	add("endpoints", listNode(endpoints))
	add("nodes", listNode(nodes))

	for i := 0; i+1 < len(source.Content); i += 2 {
		if key := source.Content[i].Value; key != "endpoints" && key != "nodes" {
			add(key, source.Content[i+1])
		}
	}

	if existing := document.Get("contexts", name); existing != nil {
		if !sameValue(existing, made) {
			return nil, false, ErrContextDiffers
		}

		return talosconfig, false, nil
	}

	edit := file.Edit()
	edit.Set(document, made, "contexts", name)

	if text, err = edit.Bytes(); err != nil {
		return nil, false, fmt.Errorf("the talosconfig cannot be changed: %w", err)
	}

	after, err := machineconfig.Parse(text)
	if err == nil {
		err = machineconfig.Prove(file, after, []machineconfig.Field{{Path: []string{"contexts", name}}})
	}

	if err != nil {
		return nil, false, fmt.Errorf("the talosconfig cannot be changed: %w", err)
	}

	return text, true, nil
}

func listNode(values []string) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for _, value := range values {
		list.Content = append(list.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value})
	}

	return list
}

// sameValue reports whether two values say the same.
func sameValue(a, b *yaml.Node) bool {
	for a.Kind == yaml.AliasNode {
		a = a.Alias
	}

	for b.Kind == yaml.AliasNode {
		b = b.Alias
	}

	if a.Kind != b.Kind || a.Value != b.Value || len(a.Content) != len(b.Content) {
		return false
	}

	if a.Kind != yaml.MappingNode {
		return slices.EqualFunc(a.Content, b.Content, sameValue)
	}

	for i := 0; i+1 < len(a.Content); i += 2 {
		found := false

		for j := 0; j+1 < len(b.Content); j += 2 {
			found = found || a.Content[i].Value == b.Content[j].Value && sameValue(a.Content[i+1], b.Content[j+1])
		}

		if !found {
			return false
		}
	}

	return true
}

// CurrentContext returns the name of the current context of a client configuration.
func CurrentContext(talosconfig []byte) (string, error) {
	file, err := machineconfig.Parse(talosconfig)
	if err == nil && len(file.Documents()) == 1 {
		if current := file.Documents()[0].Get("context"); current != nil && current.Value != "" {
			return current.Value, nil
		}
	}

	return "", errors.New("the talosconfig has no current context: choose one that talosctl config contexts lists")
}

// TryContext calls the Talos API of a node through an endpoint, with the credentials of a context.
func TryContext(ctx context.Context, talosconfig []byte, name, endpoint, node string, timeout time.Duration) error {
	config, err := clientconfig.FromBytes(talosconfig)
	if err != nil {
		return errors.New("the talosconfig cannot be read: check that it is YAML as talosctl writes it")
	}

	machinery, err := client.New(ctx, client.WithConfig(config), client.WithContextName(name), client.WithEndpoints(endpoint),
		client.WithDefaultGRPCDialOptions(), client.WithGRPCDialOptions(bounded()...))
	if err != nil {
		return fmt.Errorf("talosconfig, context %s: %w", quote.Value(name), err)
	}

	defer func() { _ = machinery.Close() }() // nothing is lost with it

	ctx, cancel := context.WithTimeout(client.WithNode(ctx, node), timeout)
	defer cancel()

	_, err = machinery.Version(ctx)

	return (&Node{address: endpoint}).failure(err)
}

// IsCertificate reports whether an error says that the certificate of a node does not fit.
func IsCertificate(err error) bool {
	return err != nil && strings.Contains(err.Error(), "x509: ")
}
