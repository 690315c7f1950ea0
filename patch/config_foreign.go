package patch

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
)

const giveConfig = "give the machine config of a node, such as controlplane.yaml or worker.yaml"

// checkForeign refuses what is often at hand where a machine config is wanted, and says what to give.
func checkForeign(file *machineconfig.File) error {
	foreign := func(d *machineconfig.Document, reason string) error {
		return &ConfigError{Code: ConfigForeign, Line: d.Line, Reason: reason}
	}

	documents := file.Documents()
	if len(documents) == 0 {
		return &ConfigError{Code: ConfigForeign, Reason: "it is empty: " + giveConfig}
	}

	for _, d := range documents {
		has := func(path ...any) bool { return d.Get(path...) != nil }
		text := func(path ...any) string { return textOf(d, path...) }

		switch {
		case d.Root.Kind != yaml.MappingNode:
			return foreign(d, "a document that is not a mapping: "+giveConfig)
		case has("sops", "mac") || has("sops", "lastmodified"):
			return &ConfigError{Code: ConfigEncrypted, Reason: "it is encrypted with SOPS: decrypt it first, for example with sops -d FILE | talos-tsbridge apply -"}
		case d.Kind == "Config" && has("clusters"):
			return foreign(d, "this is a kubeconfig: "+giveConfig)
		case d.Kind == "" && has("contexts"):
			return foreign(d, "this is a talosconfig: "+giveConfig)
		case d.Kind == "" && has("clusterName") && has("nodes"):
			return foreign(d, "this is a talconfig.yaml of talhelper: give a file of its clusterconfig/, or put the patch under its patches:")
		case d.Kind == "" && strings.HasSuffix(text("metadata", "type"), ".omni.sidero.dev"):
			return foreign(d, "this is a resource of Omni: give Omni the patch itself, as the spec of a ConfigPatch")
		case d.Kind == "Cluster" && has("kubernetes") && has("talos"), d.Kind == "ControlPlane" && has("machines"), d.Kind == "Workers" && has("machines"):
			return foreign(d, "this is a cluster template of Omni: give Omni the patch itself, under its patches:")
		case d.Kind == "" && text("metadata", "type") != "" && has("spec"):
			return foreign(d, "this is another resource of Talos than its machine config: give what talosctl get machineconfig -o yaml prints")
		case d.Kind == "" && has("customization"):
			return foreign(d, "this is a schematic of the Image Factory: "+giveConfig)
		case d.Kind == "" && has("cluster", "id") && has("secrets"), d.Kind == "" && has("trustdinfo"):
			return foreign(d, "these are the secrets of a cluster (talosctl gen secrets): "+giveConfig)
		case d.APIVersion != "" && strings.Contains(d.APIVersion, "/") || d.APIVersion == "v1" && d.Kind != "":
			return foreign(d, "this is a manifest of Kubernetes: "+giveConfig)
		case has("talos-tsbridge-failed"):
			return foreign(d, "this is what talos-tsbridge prints when it failed: see its messages")
		}
	}

	return checkWhole(documents)
}

// checkWhole refuses more than one config, and parts of one.
func checkWhole(documents []*machineconfig.Document) error {
	legacy := slices.DeleteFunc(slices.Clone(documents), func(d *machineconfig.Document) bool {
		return d.Kind != machineconfig.Legacy || d.Directive
	})

	switch {
	case len(legacy) > 1:
		return &ConfigError{Code: ConfigForeign, Line: legacy[1].Line, Reason: "a second document with machine: or cluster: (v1alpha1): give one config at a time"}
	case len(legacy) == 0:
		first := documents[0]
		if first.Kind == "" {
			return &ConfigError{Code: ConfigForeign, Line: first.Line, Reason: "a document without kind: " + giveConfig}
		}

		return &ConfigError{Code: ConfigForeign, Reason: "no document has machine: in it, so this is a part of a config or a patch: give the whole config of a node"}
	}

	return nil
}

func textOf(d *machineconfig.Document, path ...any) string {
	if n := d.Get(path...); n != nil && n.Kind == yaml.ScalarNode {
		return n.Value
	}

	return ""
}
