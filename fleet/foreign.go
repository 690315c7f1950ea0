package fleet

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// foreignFiles are the files of other tools that stand beside a bridge file and are taken for one, and what to do instead. The
// first that a document is counts.
var foreignFiles = []struct {
	is   func(top topLevel) bool
	what string
}{
	{func(t topLevel) bool { return t.has("sops") }, "is encrypted with SOPS: it holds no secret, and is read as plain text"},
	{func(t topLevel) bool { return t.has("talos-tsbridge-failed") }, "is what talos-tsbridge prints when it failed: see its message"},
	{func(t topLevel) bool { return t.has("contexts") && t.text("kind") == "" }, "is a talosconfig: give it with --talosconfig, and the bridge file with -f"},
	{func(t topLevel) bool { return t.text("kind") == "Config" && t.has("clusters") }, "is a kubeconfig: give the bridge file, which " + initWrites},
	{
		func(t topLevel) bool {
			return t.has("machine") || t.has("cluster") && t.text("version") == "v1alpha1" || t.text("apiVersion") == "v1alpha1" && t.has("kind")
		},
		"is a machine config of Talos or a part of one: name it at a node of the bridge file, as lab-worker-1: {address: 192.168.1.11, config: worker.yaml}, or give it to talos-tsbridge apply",
	},
	{func(t topLevel) bool { return t.has("clusterEndpoint") }, "is a topf.yaml: give the bridge file, which stands beside it and " + initWrites},
	{func(t topLevel) bool { return t.has("clusterName") }, "is a talconfig.yaml of talhelper: give the bridge file, which stands beside it and " + initWrites},
	{func(t topLevel) bool { return t.has("customization") }, "is a schematic of the Image Factory: give the bridge file, which " + initWrites},
	{func(t topLevel) bool { return strings.Contains(t.text("apiVersion"), "/") }, "is a manifest of Kubernetes or k0sctl: give the bridge file, which " + initWrites},
	{func(t topLevel) bool { return t.has("kind") }, "is a cluster template of Omni: give the bridge file, which " + initWrites},
	{func(t topLevel) bool { return t.has("services") }, "is a file of Docker Compose: give the bridge file, which " + initWrites},
	{func(t topLevel) bool { return t.has("operatorConfig") || t.has("proxyConfig") }, "are values of Tailscale's operator: give the bridge file, which " + initWrites},
	{func(t topLevel) bool { return t.has("all", "hosts") || t.has("all", "children") }, "is an inventory of Ansible: give the bridge file, which " + initWrites},
}

const initWrites = "talos-tsbridge init writes"

// foreign says what a document is instead of a bridge file, "" where it is one: one that has nodes by name or a field that
// only a bridge file has is one, whatever else has come into it.
func foreign(root *yaml.Node) string {
	top := topLevel{root}

	if nodes := top.get(nodesField); nodes != nil && nodes.Kind == yaml.MappingNode || top.has("advertiseTags") || top.has("nodeIPSubnets") || top.has("authKey") {
		if !top.has("sops") {
			return ""
		}
	}

	for _, file := range foreignFiles {
		if file.is(top) {
			return file.what
		}
	}

	return ""
}

// topLevel is a document of which it is asked what it is.
type topLevel struct{ *yaml.Node }

func (t topLevel) get(path ...string) *yaml.Node {
	mapping := t.Node

	for _, name := range path {
		if mapping = valueOf(mapping, name); mapping == nil {
			return nil
		}
	}

	return mapping
}

// valueOf returns the value of a name in a mapping, nil where there is none.
func valueOf(mapping *yaml.Node, name string) *yaml.Node {
	for i := 0; mapping.Kind == yaml.MappingNode && i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return resolved(mapping.Content[i+1])
		}
	}

	return nil
}

func (t topLevel) has(path ...string) bool { return t.get(path...) != nil }

func (t topLevel) text(path ...string) string {
	if node := t.get(path...); node != nil && node.Kind == yaml.ScalarNode {
		return node.Value
	}

	return ""
}
