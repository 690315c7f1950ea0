package patch

import (
	"encoding/base64"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
)

const noMachine = "no document has machine: in it, so this is a part of a config or a patch: give the whole config of a node"

const giveConfig = "give the machine config of a node, such as controlplane.yaml or worker.yaml"

// foreign are the documents that are often at hand where a machine config is wanted, and what to give instead. The first that a
// document is counts.
var foreign = []struct {
	is     func(d foreignDocument) bool
	reason string
}{
	{foreignDocument.isJSONPatch, "this is a JSON patch: " + giveConfig + ", and the patch to talosctl"},
	{foreignDocument.isBase64, "this is base64: decode it first, for example with base64 -d FILE | talos-tsbridge apply -"},
	{func(d foreignDocument) bool { return d.Root.Kind != yaml.MappingNode }, "a document that is not a mapping: " + giveConfig},
	{func(d foreignDocument) bool { return d.Kind == "Config" && d.has("clusters") }, "this is a kubeconfig: " + giveConfig},
	{func(d foreignDocument) bool { return d.Kind == "" && d.has("contexts") }, "this is a talosconfig: " + giveConfig},
	{
		func(d foreignDocument) bool { return d.Kind == "" && d.has("clusterEndpoint") && d.has("nodes") },
		"this is a topf.yaml: put the patch beside it, as a file of all/ or of a node, or " + giveConfig,
	},
	{
		func(d foreignDocument) bool { return d.Kind == "" && d.has("clusterName") && d.has("nodes") },
		"this is a talconfig.yaml of talhelper: give a file of its clusterconfig/, or put the patch under its patches:",
	},
	{
		func(d foreignDocument) bool {
			return d.Kind == "" && d.has("talosVersion") && d.has("kubernetesVersion") && !d.has("machine")
		},
		"these are the variables of talhelper (talenv.yaml): give a file of its clusterconfig/",
	},
	{
		func(d foreignDocument) bool {
			return d.Kind == "" && d.isMapping("nodes") && (d.has("talosVersion") || d.has("advertiseTags") || d.has("authKey") || d.has("talosconfig"))
		},
		"this is a bridge.yaml: give it with -f, or to talos-tsbridge up",
	},
	{
		func(d foreignDocument) bool {
			return d.Kind == "" && strings.HasSuffix(d.text("metadata", "type"), ".omni.sidero.dev")
		},
		"this is a resource of Omni: give Omni the patch itself, as the spec of a ConfigPatch",
	},
	{
		func(d foreignDocument) bool {
			return d.Kind == "Cluster" && d.has("kubernetes") && d.has("talos") || (d.Kind == "ControlPlane" || d.Kind == "Workers") && d.has("machines") ||
				d.Kind == "Machine" && d.APIVersion == ""
		},
		"this is a cluster template of Omni: give Omni the patch itself, under its patches:",
	},
	{
		func(d foreignDocument) bool { return d.Kind == "" && d.text("metadata", "type") != "" && d.has("spec") },
		"this is another resource of Talos than its machine config: give what talosctl get machineconfig -o yaml prints",
	},
	{func(d foreignDocument) bool { return d.Kind == "" && d.has("customization") }, "this is a schematic of the Image Factory: " + giveConfig},
	{
		// they have cluster:, too
		func(d foreignDocument) bool {
			return d.has("trustdinfo") || d.has("secrets", "bootstraptoken") || d.has("cluster", "id") && d.has("secrets")
		},
		"these are the secrets of a cluster (talosctl gen secrets, talhelper gensecret): " + giveConfig,
	},
	{
		func(d foreignDocument) bool { return strings.Contains(d.APIVersion, "cluster.x-k8s.io/") },
		"this is a manifest of Cluster API: put the patch under its strategicPatches:",
	},
	{
		func(d foreignDocument) bool {
			return strings.Contains(d.APIVersion, "/") || d.APIVersion == "v1" && d.Kind != ""
		},
		"this is a manifest of Kubernetes: " + giveConfig,
	},
	{func(d foreignDocument) bool { return d.Kind == "" && d.isMapping("services") }, "this is a file of Docker Compose: " + giveConfig},
	{func(d foreignDocument) bool { return d.has("talos-tsbridge-failed") }, "this is what talos-tsbridge prints when it failed: see its messages"},
}

// checkForeign refuses what is often at hand where a machine config is wanted, and says what to give.
func checkForeign(file *machineconfig.File) error {
	documents := file.Documents()
	if len(documents) == 0 {
		return &ConfigError{Code: ConfigForeign, Reason: "it is empty: " + giveConfig}
	}

	for _, document := range documents {
		d := foreignDocument{document}

		if d.has("sops", "mac") || d.has("sops", "lastmodified") {
			return &ConfigError{Code: ConfigEncrypted, Reason: "it is encrypted with SOPS: decrypt it first, for example with sops -d FILE | talos-tsbridge apply -"}
		}

		for _, f := range foreign {
			if f.is(d) {
				return &ConfigError{Code: ConfigForeign, Line: d.Line, Reason: f.reason}
			}
		}
	}

	return checkWhole(documents)
}

// foreignDocument is a document of which it is asked what it is.
type foreignDocument struct{ *machineconfig.Document }

func (d foreignDocument) has(path ...any) bool { return d.Get(path...) != nil }

func (d foreignDocument) text(path ...any) string { return textOf(d.Document, path...) }

func (d foreignDocument) isMapping(key string) bool {
	n := d.Get(key)

	return n != nil && n.Kind == yaml.MappingNode
}

func (d foreignDocument) isJSONPatch() bool {
	return d.Root.Kind == yaml.SequenceNode && d.has(0, "op") && d.has(0, "path")
}

// isBase64 reports whether the text is one in base64, as a user-data field holds it.
func (d foreignDocument) isBase64() bool {
	const shortest = 64 // shorter words are words

	if d.Root.Kind != yaml.ScalarNode || len(d.Root.Value) < shortest {
		return false
	}

	text, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(d.Root.Value), ""))

	return err == nil && len(text) > 0
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

		return &ConfigError{Code: ConfigForeign, Reason: noMachine}
	}

	return nil
}

func textOf(d *machineconfig.Document, path ...any) string {
	if n := d.Get(path...); n != nil && n.Kind == yaml.ScalarNode {
		return n.Value
	}

	return ""
}
