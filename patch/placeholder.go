package patch

import (
	"strings"
	"unicode"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

// placeholderPrefix begins the value of a setting that another tool replaces later, such as placeholder:{{ .Node.Host }}. The key has
// placeholders of its own, see authkey.Placeholder.
const placeholderPrefix = "placeholder:"

// placeholder returns the text that stands for a value, and whether there is one. It is written as it is: what it becomes only the
// tool that replaces it knows. A machine config is never a template, so there it is refused.
func (c *composer) placeholder(option, value string) (text string, ok bool) {
	text, ok = strings.CutPrefix(value, placeholderPrefix)

	switch {
	case !ok:
	case c.target != nil:
		c.faults.add(CodeUnsupported, option, "`%s`: a placeholder has no place in a machine config that is in use: give the value", option)
	case text == "":
		c.faults.add(CodeInvalid, option, "`%s`: a placeholder is empty: write one such as placeholder:{{ .Node.Host }}", option)
	case strings.ContainsFunc(text, unicode.IsControl):
		c.faults.add(CodeInvalid, option, "`%s` %s: a placeholder contains a line break or control character", option, quote.Value(text))
	}

	return text, ok
}

// placeholders parts the placeholders of a list from its other elements.
func (c *composer) placeholders(option string, list []string) (others, texts []string) {
	if list == nil {
		return nil, nil
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
