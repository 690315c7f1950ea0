package patch

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/internal/document"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// placeholderPrefix begins the value of a setting that another tool replaces later, such as placeholder:{{ .Node.Host }}. The key has
// placeholders of its own, see authkey.Placeholder.
const placeholderPrefix = "placeholder:"

// placeholder returns the text that stands for a value, and whether there is one. It is written as it is: what it becomes only the
// tool that replaces it knows. A machine config is never a template, so there it is refused.
func (o *options) placeholder(faults *Faults, option, value string) (text string, ok bool) {
	text, ok = strings.CutPrefix(value, placeholderPrefix)

	switch {
	case !ok:
		return "", false
	case o.target != nil:
		faults.add(CodeUnsupported, option, "`%s`: a placeholder has no place in a machine config that is in use: give the value", option)
	case text == "" || text == "!":
		faults.add(CodeInvalid, option, "`%s`: a placeholder is empty: write one such as placeholder:{{ .Node.Host }}", option)
	case strings.ContainsFunc(text, unicode.IsControl):
		faults.add(CodeInvalid, option, "`%s` %s: a placeholder contains a line break or control character", option, quote.Value(text))
	case secret.Looks(text):
		faults.add(CodeSecret, option, "`%s`: the placeholder looks like a key: write what your tool replaces, such as {{ .Node.Host }}", option)
	default:
		if !slices.Contains(o.placeholders, text) {
			o.placeholders = append(o.placeholders, text)
		}
	}

	return text, true
}

// placeholder is the same for a setting of the service.
func (c *composer) placeholder(option, value string) (text string, ok bool) {
	return c.options.placeholder(&c.faults, option, value)
}

// placeholders parts the placeholders of a list from its other elements.
func (c *composer) placeholders(option string, list []string) (others, texts []string) {
	isPlaceholder := func(value string) bool { return strings.HasPrefix(value, placeholderPrefix) }
	if !slices.ContainsFunc(list, isPlaceholder) {
		return list, nil
	}

	others = []string{}

	for _, value := range list {
		if text, ok := c.placeholder(option, value); ok {
			texts = append(texts, text)
		} else {
			others = append(others, value)
		}
	}

	return others, texts
}

// writeTemplates gives all texts with a template in them a style that writes the template letter by letter, whatever quotes are in it.
func writeTemplates(templates []string) func(*yaml.Node) error {
	if len(templates) == 0 {
		return nil
	}

	return func(node *yaml.Node) error {
		for _, template := range templates {
			if err := writeTemplate(node, template); err != nil {
				return err
			}
		}

		return nil
	}
}

// templates are the texts that the written patch has to hold as they were given. A key that is a word is none of them: it is written
// so in any style, and needs no tree.
func (p *Patch) templates(redacted bool) []string {
	if p.options.AuthKey.Kind() == authkey.KindPlaceholder {
		if key := (service{key: p.options.AuthKey}).secret(redacted); !isWord(key) {
			return append(slices.Clone(p.options.placeholders), key)
		}
	}

	return p.options.placeholders
}

// isWord reports whether a text is of letters, digits, dashes and underscores alone.
func isWord(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// addressTemplate stands for an address where the type can hold nothing else: the unspecified address with the text as its zone,
// which no setting can give.
func addressTemplate(text string) netip.Addr { return netip.IPv6Unspecified().WithZone(text) }

// isTemplate reports whether an address is one of [addressTemplate].
func isTemplate(address netip.Addr) bool {
	return address.Zone() != "" && address.WithZone("").IsUnspecified()
}

// addressText is what is written for an address.
func addressText(address netip.Addr) string {
	if isTemplate(address) {
		return address.Zone()
	}

	return address.String()
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

		stream, err := document.NewDumper(&text)
		if err == nil {
			err = errors.Join(stream.Dump([]*yaml.Node{node}), stream.Close())
		}

		if err != nil || strings.Contains(text.String(), template) {
			return err
		}
	}

	return nil
}
