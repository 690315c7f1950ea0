package fleet

import (
	"fmt"
	"strings"
	"time"

	"github.com/siderolabs/go-pointer"
	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/internal/lazyregexp"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

// label is a DNS label, which the name of a node is: it names its file, and its device.
var label = lazyregexp.New(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// check looks for what is wrong with a file as a whole: the fields by themselves are right.
func (f *File) check(root *yaml.Node) Faults {
	c := &checker{file: f, root: root, addresses: map[string]string{}, hostnames: map[string]string{}}

	if len(f.Nodes) == 0 {
		c.fault("", nodesField, noNodes)
	}

	if f.Defaults.Hostname != nil && len(f.Nodes) > 1 {
		c.fault("", "hostname", "is the name of every node then: leave it out, the names of the nodes are their hostnames")
	}

	c.key("", f.Key)
	c.unset("", f.Unset)

	for i := range f.Nodes {
		c.node(&f.Nodes[i])
	}

	return c.faults
}

// checker collects faults, and knows what belongs to one node alone.
type checker struct {
	file                 *File
	root                 *yaml.Node
	addresses, hostnames map[string]string
	faults               Faults
}

func (c *checker) fault(node, field, format string, args ...any) {
	c.faults = append(c.faults, c.file.faultAt(c.root, node, field, fmt.Sprintf(format, args...)))
}

func (c *checker) node(node *Node) {
	if !c.file.unnamed && !label().MatchString(node.Name) {
		c.fault(node.Name, "", "is no name for a node: use small letters, digits and dashes, at most 63")
	}

	c.key(node.Name, node.Key)
	c.unset(node.Name, node.Unset)

	if c.file.unnamed && node.Address == "" {
		c.fault("", "address", "a node is called by nothing: write an IP address or a DNS name")
	}

	c.address(node)

	if c.file.unnamed {
		return
	}

	hostname := strings.ToLower(pointer.SafeDeref(node.hostname()))
	if other, taken := c.hostnames[hostname]; taken {
		c.fault(node.Name, "hostname", "%s is that of %s too: give each node a name of its own", quote.Value(hostname), other)
	}

	c.hostnames[hostname] = node.Name
}

func (c *checker) key(node string, key *Key) {
	if key == nil {
		return
	}

	if _, err := authkey.ParseSource(key.Source); key.Source != "" && err != nil {
		c.fault(node, "authKey.source", "%v", err)
	}

	for field, options := range map[string]mint.Options{
		"tags": {Tags: key.Tags}, "expiry": {Expiry: time.Duration(key.Expiry)}, "description": {Description: key.Description},
	} {
		if err := options.Check(); err != nil {
			c.fault(node, "authKey."+field, "%s", tidy(err))
		}
	}
}

// setting is what unset takes: a variable, or a flag.
var setting = lazyregexp.New(`^(--?[a-z][a-z0-9-]*|[A-Z][A-Z0-9_]*)$`)

func (c *checker) unset(node string, names []string) {
	for _, name := range names {
		if !setting().MatchString(name) {
			c.fault(node, "unset", "%s is no name: write a variable, such as TS_HOSTNAME, or a flag, such as --hostname", quote.Value(name))
		}
	}
}

func (n *Node) hostname() *string {
	if n.Settings.Hostname != nil {
		return n.Settings.Hostname
	}

	return &n.Name
}

// faultAt makes a fault with the place of a field, as near as the file has one. The tree may be nil: then the text is read
// again, which costs time only where something is wrong.
func (f *File) faultAt(root *yaml.Node, node, field, message string) Fault {
	fault := Fault{File: f.name, Node: node, Field: field, Message: message}

	if root == nil && f.tree != nil {
		root = f.tree()
	}

	if root == nil {
		return fault
	}

	path := strings.FieldsFunc(field, func(r rune) bool { return r == '.' })
	if node != "" {
		path = append([]string{nodesField, node}, path...)
	}

	if at := locate(root, path); at != nil {
		fault.Line, fault.Column = at.Line, at.Column
	} else if at := locate(root, path[len(path)-1:]); at != nil { // what a node has from the top of the file
		fault.Line, fault.Column = at.Line, at.Column
	}

	return fault
}

// locate returns the key at a path, or the deepest one on the way to it that the file has; nil where it has none.
func locate(mapping *yaml.Node, path []string) *yaml.Node {
	for i := 0; len(path) > 0 && i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], resolved(mapping.Content[i+1])
		if key.Value != path[0] {
			continue
		}

		if value.Kind == yaml.MappingNode {
			if deeper := locate(value, path[1:]); deeper != nil {
				return deeper
			}
		}

		return key
	}

	return nil
}
