package fleet

import (
	"encoding/json"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// planned is the checked patch of a node, with what stands for a key. Nodes that differ in their hostnames alone share one, so that
// thousands of them are checked and encoded as fast as a few.
type planned struct {
	*patch.Patch

	isShared bool
}

// forNode returns the patch with the key of a node.
func (p planned) forNode(node *Node, key authkey.Key) (*patch.Patch, error) {
	if !p.isShared {
		return p.WithKey(key)
	}

	named, err := p.WithHostname(node.Name)
	if err != nil {
		return nil, err
	}

	return named.WithKey(key)
}

// shared returns, for each node, the patch that it shares with others, nil where it has one of its own. A patch that is wrong is not
// shared: what is wrong is told of each node.
func (p *Plan) shared() []*patch.Patch {
	alike := map[string][]int{}

	for i, node := range p.nodes {
		if settings, ok := p.sharable(node); ok {
			alike[settings] = append(alike[settings], i)
		}
	}

	shared := make([]*patch.Patch, len(p.nodes))

	for _, nodes := range alike {
		if len(nodes) == 1 {
			continue
		}

		if made, err := p.make(nodes[0]); err == nil {
			for _, i := range nodes {
				shared[i] = made
			}
		}
	}

	return shared
}

// sharable returns the settings of a node as text, by which those are known that differ in their hostnames alone. It reports false
// for a node that may differ in more.
func (p *Plan) sharable(node *Node) (settings string, ok bool) {
	if p.file.unnamed || p.over.Hostname != nil || node.Settings.Hostname != nil || node.Key != nil || !node.Settings.AuthKey.IsZero() {
		return "", false
	}

	text, err := json.Marshal(&node.Settings)

	return string(text), err == nil
}

// check makes the patch of a node, where it shares none.
func (p *Plan) check(i int, shared *patch.Patch) (planned, error) {
	if shared != nil {
		_, err := shared.WithHostname(p.nodes[i].Name)

		return planned{shared, true}, err
	}

	made, err := p.make(i)

	return planned{made, false}, err
}

// planKey stands for the keys of the nodes while a plan is checked.
const planKey = "planned-no-key-yet"

func (p *Plan) make(i int) (*patch.Patch, error) {
	settings := p.Settings(i)

	if source, err := authkey.ParseSource(p.Key(i).Source); err != nil || !source.IsNone() {
		key, err := authkey.Placeholder(planKey)
		if err != nil {
			return nil, err
		}

		settings.AuthKey = key
	}

	return patch.New(patch.WithSettings(settings), patch.WithReadFile(p.read))
}
