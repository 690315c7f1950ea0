package fleet

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/siderolabs/go-pointer"
	"golang.org/x/sync/errgroup"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/internal/ctxio"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// PlanOptions say what to plan of a file.
type PlanOptions struct {
	// Over replaces what the file says, as flags do, for each node.
	Over patch.Settings
	// Unset are settings that go from the configs of all nodes, beside those that the file has.
	Unset []string
	// Only are the names of the nodes to plan. Default: all.
	Only []string
	// NeedsAddress refuses nodes without one.
	NeedsAddress bool
	// ReadFile reads the files that settings name, as [patch.WithReadFile] says, and the machine configs of nodes that wait for
	// one. Default: that of package patch, and as much as a machine config may have.
	ReadFile func(name string) ([]byte, error)
}

// Plan is what was checked: the patch of each of its nodes can be made. It does not change.
type Plan struct {
	file    *File
	over    patch.Settings
	unset   []string
	read    func(name string) ([]byte, error)
	nodes   []*Node
	patches []planned
	notes   notes
}

// Plan makes the patch of every node, with what stands for a key, and returns all faults of all nodes at once: those of the file
// are [Faults], those of what comes over it [patch.Fault]. It sends nothing and mints nothing.
func (f *File) Plan(options PlanOptions) (*Plan, error) {
	p := &Plan{file: f, unset: options.Unset, over: options.Over, read: options.ReadFile}

	faults := p.choose(options)

	p.patches = make([]planned, len(p.nodes))
	failed := make([]error, len(p.nodes))
	shared := p.shared()

	var group errgroup.Group

	group.SetLimit(runtime.GOMAXPROCS(0))

	for i := range p.nodes {
		group.Go(func() error {
			p.patches[i], failed[i] = p.check(i, shared[i])

			return nil
		})
	}

	_ = group.Wait() // what failed is in the list

	inFile, over := p.faultsOf(failed)

	switch err := append(faults, inFile...).orNil(); {
	case over != nil:
		return nil, errors.Join(err, over)
	case err != nil:
		return nil, err
	}

	p.collectNotes()
	p.noteOnAddresses()
	p.noteOnRoutes()

	return p, nil
}

// choose picks the nodes.
func (p *Plan) choose(options PlanOptions) Faults {
	var faults Faults

	for _, name := range options.Only {
		if !slices.ContainsFunc(p.file.Nodes, func(n Node) bool { return n.Name == name }) {
			faults = append(faults, Fault{File: p.file.name, Field: nodesField, Message: fmt.Sprintf("there is no node %s: write one that the file has", quote.Value(name))})
		}
	}

	for i := range p.file.Nodes {
		node := &p.file.Nodes[i]

		if len(options.Only) > 0 && !slices.Contains(options.Only, node.Name) {
			continue
		}

		if options.NeedsAddress && node.Address == "" {
			faults = append(faults, p.file.faultAt(nil, node.Name, "address", "is missing: write what talosctl --nodes calls the node by"))
		}

		p.nodes = append(p.nodes, node)
	}

	return faults
}

// Settings returns the settings of a node: those of the file, its own over them, and those of the plan over these. They
// have no key.
func (p *Plan) Settings(i int) patch.Settings {
	node := p.nodes[i]
	settings := p.file.Defaults

	if !p.file.unnamed {
		settings = settings.Merge(patch.Settings{Hostname: &node.Name})
	}

	settings = settings.Merge(node.Settings)

	// files that the bridge file names are beside it, those that flags name where they say
	settings.ConfigFiles = p.file.relativeAll(settings.ConfigFiles)

	if settings.ServeConfig != nil {
		settings.ServeConfig = pointer.To(p.file.relative(*settings.ServeConfig))
	}

	return settings.Merge(p.over)
}

// Notes returns what is worth knowing about the plan.
func (p *Plan) Notes() []Note { return slices.Clone(p.notes.list) }

// Len returns how many nodes there are.
func (p *Plan) Len() int { return len(p.nodes) }

// Node returns a node, which the caller does not change.
func (p *Plan) Node(i int) *Node { return p.nodes[i] }

// Key returns where the key of a node comes from, empty where the file does not say.
func (p *Plan) Key(i int) Key {
	key := p.file.Key.merge(p.nodes[i].Key)

	if path, isFile := strings.CutPrefix(key.Source, "file:"); isFile {
		key.Source = "file:" + p.file.relative(path)
	}

	return key
}

// Unset returns the settings that go from the config of a node.
func (p *Plan) Unset(i int) []string {
	return slices.Concat(p.file.Unset, p.nodes[i].Unset, p.unset)
}

// layers returns what says the settings of a node; the first that says one counts.
func (p *Plan) layers(i int) []*patch.Settings {
	return []*patch.Settings{&p.over, &p.nodes[i].Settings, &p.file.Defaults}
}

// Role returns the role of a node, empty where nothing says it.
func (p *Plan) Role(i int) string {
	for _, settings := range p.layers(i) {
		if settings.Role != nil {
			return *settings.Role
		}
	}

	return ""
}

// Patch returns the patch of a node with a key, which may be none.
func (p *Plan) Patch(i int, key authkey.Key) (*patch.Patch, error) {
	if !key.IsZero() {
		return p.patches[i].forNode(p.nodes[i], key)
	}

	settings := p.Settings(i)
	settings.AuthKeyMount = nil // there is nothing to put there

	return patch.New(patch.WithSettings(settings), patch.WithReadFile(p.read))
}

// Config reads the machine config that a node is installed with. Its error says which field to write where there is none.
func (p *Plan) Config(ctx context.Context, i int) ([]byte, error) {
	node := p.nodes[i]
	if node.Config == "" {
		return nil, fmt.Errorf("node %s has no machine config to be installed with: write config: FILE at the node", node.Name)
	}

	read := p.read
	if read == nil {
		read = func(name string) ([]byte, error) { return ctxio.ReadFile(ctx, name, ctxio.MaxInput) }
	}

	text, err := read(p.file.relative(node.Config))
	if err != nil {
		return nil, fmt.Errorf("node %s: config: %w", node.Name, err)
	}

	return text, nil
}

func (f *File) relativeAll(files map[string]string) map[string]string {
	if len(files) == 0 || f.unnamed {
		return files
	}

	found := make(map[string]string, len(files))
	for mount, name := range files {
		found[mount] = f.relative(name)
	}

	return found
}

// relative returns the path of a file that is named in the bridge file.
func (f *File) relative(name string) string {
	if filepath.IsAbs(name) {
		return name
	}

	return filepath.Join(f.dir, name)
}
