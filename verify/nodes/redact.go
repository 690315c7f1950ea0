package nodes

import (
	"slices"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// redacted returns the environment without the key, and without anything else that looks like one.
func redacted(environment []string) []string {
	clean := make([]string, 0, len(environment))

	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		if secret.IsVariable(name) && !strings.HasPrefix(value, "file:") || secret.Looks(value) {
			variable = name + "=" + authkey.Redacted
		}

		clean = append(clean, variable)
	}

	return clean
}

// withoutSecrets returns the node with all that it says of itself in words cut to a length that can be read, and without
// what looks like a key.
func (n Node) withoutSecrets() Node {
	for _, text := range []*string{&n.Name, &n.Failure, &n.TalosVersion, &n.Platform, &n.Schematic, &n.InstallImage, &n.Extension} {
		*text = withoutSecret(*text)
	}

	for _, texts := range []*[]string{&n.Environment, &n.NodeIPSubnets, &n.ExcludedSubnets, &n.EtcdSubnets} {
		*texts = slices.Clone(*texts)
		for i, text := range *texts {
			(*texts)[i] = withoutSecret(text)
		}
	}

	n.Unread = slices.Clone(n.Unread)
	for i := range n.Unread {
		n.Unread[i].Detail = withoutSecret(n.Unread[i].Detail)
	}

	if n.Service != nil {
		said := *n.Service
		said.State, said.Message = withoutSecret(said.State), withoutSecret(said.Message)
		n.Service = &said
	}

	return n
}

func withoutSecret(text string) string {
	const longest = 2000

	if secret.Looks(text) {
		return secret.Redacted
	}

	return printable.Clip(text, longest)
}
