package machineconfig

import (
	"regexp"

	"go.yaml.in/yaml/v4"
)

// key is what keys of machine configs look like: names of fields, annotations, sysctls, host names.
var key = regexp.MustCompile(`^[A-Za-z0-9_$.][A-Za-z0-9_./:-]{0,79}$`)

// secretKey is what looks like a key and more like a secret: long, with digits or capitals in one word.
var secretKey = regexp.MustCompile(`[A-Za-z0-9_-]{33,}|tskey-`)

// KeyName returns the text of a key, or "..." for what may be a value that stands in its place.
func KeyName(n *yaml.Node) string {
	if n = resolve(n); n.Kind != yaml.ScalarNode || !key.MatchString(n.Value) || secretKey.MatchString(n.Value) {
		return "..."
	}

	return n.Value
}
