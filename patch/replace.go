package patch

import (
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
)

// WithReplace makes [Patch.Bytes] and [Patch.Redacted] begin with documents that delete what an earlier patch set, so
// that the stream replaces it instead of adding to it. It needs contract v1.14 or newer: before, Talos cannot delete what
// is not there. [Patch.Apply] replaces on every contract. Default: the patch adds.
func WithReplace() Option {
	return func(o *options) { o.replace = true }
}

func (d *draft) checkReplace() {
	if d.replace && !contract.DeleteDirectives(d.contract) {
		d.faults.add(CodeUnsupported, "talos-version", "a patch can only replace an earlier one on `talos-version` v1.14 or newer: use apply, which "+
			"replaces on every version")
	}
}

// deletions returns what to write before the patch, in the order of the documents that set: the v1alpha1 config first.
func (p *Patch) deletions() string {
	if !p.replace {
		return ""
	}

	var legacy, documents []string

	for _, f := range p.features {
		for _, deletion := range f.deletions() {
			if strings.HasPrefix(deletion, "apiVersion: ") {
				documents = append(documents, deletion)
			} else {
				legacy = append(legacy, deletion)
			}
		}
	}

	return strings.Join(append(legacy, documents...), "---\n") + "---\n"
}
