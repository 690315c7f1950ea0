package machineconfig

import (
	"cmp"
	"encoding/json"
	"strings"

	"go.yaml.in/yaml/v4"
)

// style is how a document is written, for what is added to it.
type style struct {
	// step is how much deeper a mapping in a mapping is indented, list how much a sequence is.
	step, list int
	// json tells that keys and texts are quoted, compact that no blank follows a colon.
	json, compact bool
	// quoteLines tells that a text of several lines is written in quotes: a literal would take in what follows.
	quoteLines bool
}

// talosStyle is how Talos writes machine configs.
var talosStyle = style{step: 4, list: 4}

// styleOf finds out how a document is written.
func (f *File) styleOf(d *Document) style {
	found := style{list: -1}

	f.survey(d.Root, &found)

	for _, other := range f.documents {
		if found.step == 0 || found.list < 0 {
			f.survey(other.Root, &found)
		}
	}

	if found.step == 0 && found.list > 0 {
		found.step = found.list
	}

	found.step = cmp.Or(found.step, talosStyle.step)
	if found.list < 0 {
		found.list = found.step
	}

	if root := d.Root; root.Style&yaml.FlowStyle != 0 && len(root.Content) > 0 {
		found.json = root.Content[0].Style&yaml.DoubleQuotedStyle != 0
		e := f.entry(f.place(root, f.at(root), scope{flow: true}), 0)
		found.compact = e.hasColon && e.colon < len(f.text) && !f.isBlankOrBreak(e.colon)
	}

	return found
}

// survey looks for the first mapping and the first sequence in a mapping, all in block style.
func (f *File) survey(n *yaml.Node, found *style) {
	if n.Kind != yaml.MappingNode || n.Style&yaml.FlowStyle != 0 || found.step != 0 && found.list >= 0 {
		return
	}

	for i := 0; i+1 < len(n.Content); i += 2 {
		value := n.Content[i+1]
		if value.Style&yaml.FlowStyle != 0 || value.Anchor != "" || value.Style&yaml.TaggedStyle != 0 || len(value.Content) == 0 {
			continue
		}

		switch deeper := value.Column - n.Content[i].Column; {
		case value.Kind == yaml.MappingNode && deeper > 0:
			found.step = cmp.Or(found.step, deeper)
			f.survey(value, found)
		case value.Kind == yaml.SequenceNode && deeper >= 0 && found.list < 0:
			found.list = deeper
		}
	}
}

func textNode(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

// rendered is a value as text: what stands behind the colon or dash, and the lines below.
type rendered struct {
	inline string
	lines  []string
}

// anchored returns a value with an anchor. An entry on the line of a dash goes below it: there the anchor would be the key's.
func (r rendered) anchored(name string, isCollection bool, column int) rendered {
	const behindDash = 2

	if isCollection {
		r.lines = append([]string{strings.Repeat(" ", column+behindDash) + r.inline}, r.lines...)
		r.inline = ""
	}

	r.inline = strings.TrimRight("&"+name+" "+r.inline, " ")

	return r
}

// renderValue writes a value of a key at a column, in block style.
func (s style) renderValue(n *yaml.Node, column int, quotes yaml.Style) rendered {
	switch {
	case n.Kind == yaml.ScalarNode:
		return s.renderScalar(n, column+s.step, quotes)
	case len(n.Content) == 0:
		return rendered{inline: emptyCollection(n)}
	case n.Kind == yaml.SequenceNode:
		return rendered{lines: s.blockLines(n, column+s.list)}
	default:
		return rendered{lines: s.blockLines(n, column+s.step)}
	}
}

// renderItem writes a value of a sequence whose dash is at a column.
func (s style) renderItem(n *yaml.Node, column int, quotes yaml.Style) rendered {
	const behindDash = 2

	switch {
	case n.Kind == yaml.ScalarNode:
		return s.renderScalar(n, column+behindDash, quotes)
	case len(n.Content) == 0:
		return rendered{inline: emptyCollection(n)}
	}

	lines := s.blockLines(n, column+behindDash)

	return rendered{inline: strings.TrimLeft(lines[0], " "), lines: lines[1:]}
}

func emptyCollection(n *yaml.Node) string {
	if n.Kind == yaml.SequenceNode {
		return "[]"
	}

	return "{}"
}

// blockLines writes a mapping or sequence at a column, counted from 0.
func (s style) blockLines(n *yaml.Node, column int) []string {
	var lines []string

	margin := strings.Repeat(" ", column)

	if n.Kind == yaml.SequenceNode {
		for _, child := range n.Content {
			lines = append(lines, s.itemLines(child, column, 0)...)
		}

		return lines
	}

	for i := 0; i+1 < len(n.Content); i += 2 {
		value := s.renderValue(n.Content[i+1], column, 0)
		lines = append(lines, strings.TrimRight(margin+scalarText(n.Content[i], 0)+": "+value.inline, " "))
		lines = append(lines, value.lines...)
	}

	return lines
}

func (s style) itemLines(n *yaml.Node, column int, quotes yaml.Style) []string {
	value := s.renderItem(n, column, quotes)

	return append([]string{strings.Repeat(" ", column) + "- " + value.inline}, value.lines...)
}

// renderScalar writes a scalar, one of several lines as a literal at a column.
func (s style) renderScalar(n *yaml.Node, column int, quotes yaml.Style) rendered {
	text := n.Value
	if s.quoteLines || n.ShortTag() != "!!str" || !strings.Contains(text, "\n") || !canBeLiteral(text) {
		return rendered{inline: scalarText(n, quotes)}
	}

	header := "|-"

	content, isClipped := strings.CutSuffix(text, "\n")
	if isClipped {
		header = "|"
	}

	lines := strings.Split(content, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = strings.Repeat(" ", column) + line
		}
	}

	return rendered{inline: header, lines: lines}
}

// canBeLiteral reports whether a text can be written as a literal without an indicator of its indentation, and without
// keeping what blank lines follow it.
func canBeLiteral(text string) bool {
	return !strings.ContainsAny(text[:1], " \n\t") && !strings.HasSuffix(text, "\n\n") && !strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' || r == 0x7F || r >= 0x80 && r < 0xA0 || r == '\u2028' || r == '\u2029' || r == '\uFEFF' || r == '\uFFFD'
	})
}

// scalarText writes a scalar on one line.
func scalarText(n *yaml.Node, quotes yaml.Style) string {
	if n.ShortTag() != "!!str" {
		quotes = 0
	}

	value := &yaml.Node{Kind: yaml.ScalarNode, Tag: n.ShortTag(), Value: n.Value, Style: quotes}

	if quotes == 0 && strings.ContainsAny(n.Value, "\n\u0085\u2028\u2029") {
		value.Style = yaml.DoubleQuotedStyle
	}

	text, err := yaml.Marshal(value)
	if err != nil || strings.Count(string(text), "\n") != 1 {
		return jsonText(n.Value)
	}

	return strings.TrimSuffix(string(text), "\n")
}

func jsonText(text string) string {
	var b strings.Builder

	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)

	if encoder.Encode(text) != nil {
		return `""`
	}

	return strings.TrimSuffix(b.String(), "\n")
}

// flowText writes a value in flow style.
func (s style) flowText(n *yaml.Node, quotes yaml.Style) string {
	switch n.Kind {
	case yaml.ScalarNode:
		return s.flowScalar(n, quotes)
	case yaml.SequenceNode:
		parts := make([]string, 0, len(n.Content))
		for _, child := range n.Content {
			parts = append(parts, s.flowText(child, quotes))
		}

		return "[" + strings.Join(parts, s.comma()) + "]"
	}

	var parts []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		parts = append(parts, s.flowPair(n.Content[i], n.Content[i+1], quotes))
	}

	return "{" + strings.Join(parts, s.comma()) + "}"
}

func (s style) flowPair(key, value *yaml.Node, quotes yaml.Style) string {
	colon := ": "
	if s.compact {
		colon = ":"
	}

	return s.flowScalar(key, 0) + colon + s.flowText(value, quotes)
}

func (s style) comma() string {
	if s.compact {
		return ","
	}

	return ", "
}

func (s style) flowScalar(n *yaml.Node, quotes yaml.Style) string {
	if n.ShortTag() == "!!str" && s.json {
		return jsonText(n.Value)
	}

	text := scalarText(n, quotes)
	if isQuoted := text != "" && (text[0] == '"' || text[0] == '\''); !isQuoted && strings.ContainsAny(text, ",[]{}?:") {
		return scalarText(n, yaml.DoubleQuotedStyle)
	}

	return text
}

// quotesOf returns the quotes that the scalars of a sequence have in common, 0 for none.
func quotesOf(n *yaml.Node) yaml.Style {
	var common yaml.Style

	for i, child := range n.Content {
		style := child.Style & (yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle)
		if child.Kind != yaml.ScalarNode || i > 0 && style != common {
			return 0
		}

		common = style
	}

	return common
}

// mapping returns an empty mapping.
func mapping() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"} }
