package fleet

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"sync"

	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/internal/ctxio"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// DefaultFile is the name that a file has where nobody says another.
const DefaultFile = "bridge.yaml"

// File describes the nodes of a cluster.
type File struct {
	// Defaults are what all nodes have in common. A node's own settings replace them, one by one.
	Defaults patch.Settings `yaml:",inline"`
	// Key says where the nodes' keys come from. Default: as the command line finds one.
	Key *Key `yaml:"authKey,omitempty"`
	// StaticHostsFrom are tags whose devices every node gets static hosts for. [File.Plan] sends nothing, so it does not look
	// for them: Client.DevicesTagged of package tailnet does, and what its StaticHosts makes of them goes into PlanOptions.Over.
	StaticHostsFrom []string `yaml:"staticHostsFrom,omitempty"`
	// Unset are the settings that go from the machine configs of nodes that run, whoever put them there: variables of the
	// service, such as TS_ROUTES, and flags, such as --ssh, as [patch.WithUnset] takes them. A field that is only left out
	// leaves what a config has.
	Unset []string `yaml:"unset,omitempty"`
	// Nodes are in the order of the file.
	Nodes []Node `yaml:"nodes"`

	// name is what faults call the file, dir the folder that names of files in it are relative to.
	name, dir string
	// tree reads the text again, once, for the places of faults. Where nothing is wrong it costs neither time nor memory.
	tree func() *yaml.Node
	// unnamed tells that the nodes are called by their addresses, which are no hostnames.
	unnamed bool
}

// ForAddresses returns what a file with these nodes would say, for a cluster that has none: they differ in their addresses
// alone, and keep the hostnames that they have.
func ForAddresses(addresses ...string) (*File, error) {
	f := &File{unnamed: true}
	for _, address := range addresses {
		f.Nodes = append(f.Nodes, Node{Name: address, Address: address})
	}

	if err := f.check(&yaml.Node{Kind: yaml.MappingNode}).orNil(); err != nil {
		return nil, err
	}

	return f, nil
}

// Node is one of the nodes.
type Node struct {
	// Name is the node's name in the file, and its hostname in the tailnet unless Settings say another.
	Name string `yaml:"-"`
	// Address is what the Talos API of the node is called by: an IP address or a DNS name.
	Address string `yaml:"address,omitempty"`
	// Config is the file of the machine config that the node is installed with while it is in maintenance mode.
	Config string `yaml:"config,omitempty"`
	// Key replaces that of the file.
	Key *Key `yaml:"authKey,omitempty"`
	// Unset are added to those of the file.
	Unset []string `yaml:"unset,omitempty"`
	// Settings replace those of the file.
	Settings patch.Settings `yaml:",inline"`

	// line is where the node stands in the file, 0 for one that is in none.
	line, column int
}

// Load reads a file. Its error is [Faults] where the file can be read and is not right.
func Load(ctx context.Context, path string) (*File, error) {
	text, err := ctxio.ReadFile(ctx, path, ctxio.MaxInput)
	if err != nil {
		return nil, fmt.Errorf("bridge file: %w", err)
	}

	return Parse(path, text)
}

// Parse is [Load] of a text that was read already. Names of files in it are relative to the folder of name.
func Parse(name string, text []byte) (*File, error) {
	root, err := parseYAML(name, text)
	if err != nil {
		return nil, err
	}

	s := &strict{file: name}
	s.checkFile(root)

	if err := s.faults.orNil(); err != nil {
		return nil, err
	}

	f := &File{name: name, dir: filepath.Dir(name), tree: sync.OnceValue(func() *yaml.Node {
		tree, _ := parseYAML(name, text) // it was read before

		return tree
	})}
	if err := f.decode(root); err != nil {
		return nil, Faults{{File: name, Message: "cannot be read: check it against the schema that its first line names"}}
	}

	if err := f.check(root).orNil(); err != nil {
		return nil, err
	}

	return f, nil
}

const nodesField = "nodes"

// checkFile holds a file against its type, and the nodes in it against theirs.
func (s *strict) checkFile(root *yaml.Node) {
	if !s.isMapping(root, "", "write NAME: VALUE, a line each") {
		return
	}

	want := reflect.TypeFor[File]()
	fields := fieldsOf(want)

	s.eachPair(root, "", func(key, value *yaml.Node) {
		field, ok := fields[key.Value]

		switch {
		case !ok:
			s.unknown(key, value, "", want)
		case key.Value != nodesField:
			s.check(value, field, key.Value)
		default:
			s.checkNodes(key, resolved(value))
		}
	})
}

func (s *strict) checkNodes(key, nodes *yaml.Node) {
	switch {
	case nodes.Tag == "!!null":
		s.fault(key, nodesField, "%s, indented under it", noNodes)
	case nodes.Kind == yaml.SequenceNode:
		s.checkListOfNodes(nodes)
	case s.isMapping(nodes, nodesField, writeNode):
		s.eachPair(nodes, nodesField, func(name, node *yaml.Node) {
			s.node = name.Value
			s.checkNode(name, resolved(node))
			s.node = ""
		})
	}
}

const (
	writeNode = "write the nodes by their names, as lab-cp-1: {address: 192.168.1.10}"
	noNodes   = "there is none: write at least one node, as lab-cp-1: {address: 192.168.1.10}"
)

// checkListOfNodes reports nodes that are a list, as other tools have them, and what else is wrong with them.
func (s *strict) checkListOfNodes(list *yaml.Node) {
	if len(list.Content) == 0 {
		s.fault(list, nodesField, "%s", noNodes)

		return
	}

	names := []string{"name", "hostname", "host"}
	message := "is a list: " + writeNode

	for i, item := range list.Content {
		item = resolved(item)
		fields := &yaml.Node{Kind: item.Kind, Tag: item.Tag, Value: item.Value, Line: item.Line, Column: item.Column}

		for j := 0; item.Kind == yaml.MappingNode && j+1 < len(item.Content); j += 2 {
			key, value := item.Content[j], item.Content[j+1]

			if !slices.Contains(names, key.Value) {
				fields.Content = append(fields.Content, key, value)
			} else if i == 0 && label().MatchString(value.Value) {
				message = fmt.Sprintf("is a list: write the nodes by their names, as %s: {address: 192.168.1.10}", value.Value)
			}
		}

		if item.Kind == yaml.MappingNode {
			s.check(fields, reflect.TypeFor[Node](), fmt.Sprintf("%s[%d]", nodesField, i))
		}
	}

	s.fault(list, nodesField, "%s", message)
}

func (s *strict) checkNode(name, node *yaml.Node) {
	if node.Tag == "!!null" {
		s.fault(name, "", "says nothing: write its address, as %s: {address: 192.168.1.10}", quote.Value(name.Value))

		return
	}

	s.check(node, reflect.TypeFor[Node](), "")
}

// decode fills in the file from YAML that fits it.
func (f *File) decode(root *yaml.Node) error {
	rest := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}

	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], resolved(root.Content[i+1])

		if key.Value != nodesField {
			rest.Content = append(rest.Content, key, value)

			continue
		}

		f.Nodes = make([]Node, 0, len(value.Content)/2) //nolint:mnd // a name and a node each

		for j := 0; j+1 < len(value.Content); j += 2 {
			name := value.Content[j]
			node := Node{Name: name.Value, line: name.Line, column: name.Column}

			if err := resolved(value.Content[j+1]).Decode(&node); err != nil {
				return err
			}

			f.Nodes = append(f.Nodes, node)
		}
	}

	return rest.Decode(f)
}
