package fleet

import (
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// tree is a machine config that was read, for what is asked of it as it is written. One that cannot be read says nothing.
type tree struct {
	file *machineconfig.File
}

func readTree(config []byte) tree {
	file, err := machineconfig.Parse(config)
	if err != nil {
		return tree{}
	}

	return tree{file}
}

// find returns a document, nil where it is not there.
func (t tree) find(kind, name string) *machineconfig.Document {
	if t.file == nil {
		return nil
	}

	return t.file.Find(kind, name)
}

// service returns the document of the service, nil where there is none.
func (t tree) service() *machineconfig.Document { return t.find(serviceKind, patch.ServiceName) }

// environment returns the variables of the service, nil where there is no document of it.
func (t tree) environment() map[string]string {
	document := t.service()
	if document == nil {
		return nil
	}

	variables := map[string]string{}

	for _, text := range texts(document.Get(environmentField)) {
		name, value, _ := strings.Cut(text, "=")
		variables[name] = value // the last of a name wins, as on the node
	}

	return variables
}

// installImage returns the image that the config installs, or "".
func (t tree) installImage() string {
	image := t.first(
		place{machineconfig.Legacy, []any{"machine", "install", "image"}},
		place{"UnattendedInstallConfig", []any{"installer", "image"}},
	)
	if image == nil {
		return ""
	}

	return image.Value
}

// nodeIPSubnets returns the subnets that the config takes the node IP from, nil where it says none.
func (t tree) nodeIPSubnets() []string {
	return texts(t.first(
		place{"KubeNodeConfig", []any{"nodeIP", "validSubnets"}},
		place{machineconfig.Legacy, []any{"machine", "kubelet", "nodeIP", "validSubnets"}},
	))
}

// etcdSubnets returns the subnets whose addresses etcd advertises, nil where the config says none.
func (t tree) etcdSubnets() []string {
	return texts(t.first(place{machineconfig.Legacy, []any{"cluster", "etcd", "advertisedSubnets"}}))
}

// place is where a field may stand.
type place struct {
	kind string
	path []any
}

// first returns the field at the first of the places where there is one, or nil.
func (t tree) first(places ...place) *yaml.Node {
	for _, place := range places {
		if document := t.find(place.kind, ""); document != nil {
			if field := document.Get(place.path...); field != nil {
				return field
			}
		}
	}

	return nil
}

// texts returns what a list holds, nil where there is none.
func texts(list *yaml.Node) []string {
	if list == nil {
		return nil
	}

	var found []string
	for _, item := range list.Content {
		found = append(found, resolved(item).Value)
	}

	return found
}

// environmentOf returns the variables of the service in a config, nil where it has no document of it.
func environmentOf(config []byte) map[string]string { return readTree(config).environment() }
