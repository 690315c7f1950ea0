package patch

import (
	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
)

// resourceType is what talosctl get machineconfig -o yaml prints.
const resourceType = "MachineConfigs.config.talos.dev"

// unwrapResource returns the machine config in what talosctl get machineconfig prints, and the line before its first. Of
// several resources of a node it takes the persistent one. It returns nil for a text that is none.
func unwrapResource(file *machineconfig.File) ([]byte, int, error) {
	var (
		found *machineconfig.Document
		node  string
	)

	for _, d := range file.Documents() {
		if textOf(d, "metadata", "type") != resourceType {
			continue
		}

		if from := textOf(d, "node"); found == nil {
			node = from
		} else if from != node {
			return nil, 0, &ConfigError{Code: ConfigForeign, Line: d.Line, Reason: "the configs of several nodes: give that of one, with talosctl get machineconfig -n NODE -o yaml"}
		}

		if found == nil || textOf(d, "metadata", "id") == "persistent" {
			found = d
		}
	}

	if found == nil {
		return nil, 0, nil
	}

	spec := found.Get("spec")
	if spec == nil || spec.Kind != yaml.ScalarNode || spec.Value == "" {
		return nil, 0, &ConfigError{Code: ConfigForeign, Line: found.Line, Reason: "a MachineConfig resource without the config as the text of its spec: read it with a talosconfig of the role os:admin"}
	}

	line := spec.Line - 1
	if spec.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		line = spec.Line
	}

	return []byte(spec.Value), line, nil
}
