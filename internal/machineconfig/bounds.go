package machineconfig

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// What aliases may add to a text when each is written out, and how many keys one mapping may have: more takes Talos
// itself gigabytes, or minutes.
const (
	mostExpandedNodes = 100_000
	mostExpandedBytes = 64 << 20
	mostKeys          = 20_000
)

// BoundError tells what makes a text too large to be read.
type BoundError struct {
	Line   int
	Reason string
}

func (e *BoundError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// checkAliases fails for a text that would be too large with its aliases written out, before anything expands them.
func (f *File) checkAliases() error {
	c := aliasCheck{sizes: map[*yaml.Node]size{}, open: map[*yaml.Node]bool{}, aliases: map[*yaml.Node][]*yaml.Node{}}

	for _, d := range f.documents {
		if _, err := c.measure(d.Root); err != nil {
			return err
		}
	}

	f.aliases = c.aliases

	return nil
}

// size is what a node takes with its aliases written out.
type size struct{ nodes, bytes int }

type aliasCheck struct {
	sizes   map[*yaml.Node]size // of nodes with an anchor
	open    map[*yaml.Node]bool // anchors that hold the place that is looked at
	aliases map[*yaml.Node][]*yaml.Node
	added   size
}

func (c *aliasCheck) measure(n *yaml.Node) (size, error) {
	if n.Kind == yaml.AliasNode {
		return c.measureAlias(n)
	}

	if n.Kind == yaml.MappingNode && len(n.Content) > 2*mostKeys {
		return size{}, &BoundError{n.Line, fmt.Sprintf("a mapping of more than %d keys, which Talos takes minutes to read", mostKeys)}
	}

	if n.Anchor != "" {
		c.open[n] = true
		defer delete(c.open, n)
	}

	total := size{1, len(n.Value)}

	for _, child := range n.Content {
		part, err := c.measure(child)
		if err != nil {
			return size{}, err
		}

		total.nodes += part.nodes
		total.bytes += part.bytes
	}

	if n.Anchor != "" {
		c.sizes[n] = total
	}

	return total, nil
}

func (c *aliasCheck) measureAlias(n *yaml.Node) (size, error) {
	c.aliases[n.Alias] = append(c.aliases[n.Alias], n)

	if c.open[n.Alias] {
		return size{}, &BoundError{n.Line, "an alias of what it stands in"}
	}

	expanded := c.sizes[n.Alias]
	c.added.nodes += expanded.nodes
	c.added.bytes += expanded.bytes

	if c.added.nodes > mostExpandedNodes || c.added.bytes > mostExpandedBytes {
		return size{}, &BoundError{n.Line, "aliases that expand to more than Talos can hold: write out what they stand for, or less of it"}
	}

	return expanded, nil
}

// HasAlias reports whether a text may hold aliases, before it is parsed. It may report one that is none.
func HasAlias(text []byte) bool {
	for at := 0; ; at++ {
		next := bytes.IndexByte(text[at:], '&')
		if next < 0 {
			return false
		}

		if at += next; at+1 == len(text) || bytes.IndexByte([]byte(" \t\r\n&"), text[at+1]) >= 0 {
			continue
		}

		if at == 0 || text[at-1] >= utf8.RuneSelf || bytes.IndexByte([]byte(" \t\r\n[{,:"), text[at-1]) >= 0 {
			return true
		}
	}
}
