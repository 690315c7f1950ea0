package fleet

import (
	"reflect"

	"github.com/siderolabs/go-pointer"

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

// shared makes the patches that nodes share, by their roles. Those that are wrong are left out: what is wrong is told of each node.
func (p *Plan) shared() map[string]*patch.Patch {
	shared := map[string]*patch.Patch{}

	for i, node := range p.nodes {
		role, ok := p.sharesByRole(node)
		if _, made := shared[role]; made || !ok {
			continue
		}

		shared[role], _ = p.make(i)
	}

	return shared
}

// sharesByRole reports whether a node differs from others in hostname and role alone, and returns its role.
func (p *Plan) sharesByRole(node *Node) (role string, ok bool) {
	if p.file.unnamed || p.over.Hostname != nil || node.Key != nil {
		return "", false
	}

	settings := node.Settings
	role, settings.Role = pointer.SafeDeref(settings.Role), nil

	return role, reflect.ValueOf(&settings).Elem().IsZero()
}

// check makes the patch of a node.
func (p *Plan) check(i int, shared map[string]*patch.Patch) (planned, error) {
	if role, ok := p.sharesByRole(p.nodes[i]); ok && shared[role] != nil {
		_, err := shared[role].WithHostname(p.nodes[i].Name)

		return planned{shared[role], true}, err
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
