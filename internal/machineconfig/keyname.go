package machineconfig

import (
	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/internal/lazyregexp"
)

// key is what keys of machine configs look like that may be shown: the names of fields and of variables. A key with digits
// or dots may as well be a token or a key that stands in the place of one.
var key = lazyregexp.New(`^[A-Za-z$][A-Za-z_-]{0,39}$`)

// kind is what the kinds and versions of documents look like.
var kind = lazyregexp.New(`^([A-Z][A-Za-z]{0,39}(v[46][A-Za-z]{0,20})?|v1alpha1)$`)

// KeyName returns the text of a key, or "..." for what may be a value that stands in its place.
func KeyName(n *yaml.Node) string {
	if n = resolve(n); n.Kind != yaml.ScalarNode || !key().MatchString(n.Value) {
		return "..."
	}

	return n.Value
}

// KindName returns the kind or the version of a document, or "..." for what may be another value in its place.
func KindName(text string) string {
	if !kind().MatchString(text) {
		return "..."
	}

	return text
}
