package patch

import (
	"slices"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"

	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
)

// feature is one thing that a patch sets in a machine config. All that the package knows of it stands in its one file: the options
// for it, the function that checks them, and this.
type feature interface {
	// documents returns what is written for it, new each time: documents of their own, and parts of the v1alpha1 config, which
	// become one with those of other features.
	documents(version *coreconfig.VersionContract, redacted bool) []config.Document
	// deletions returns, for [WithReplace], documents that delete what an earlier patch set. Of a document that holds more than
	// ours, only our field is deleted.
	deletions() []string
	// apply puts it into a machine config, in the place of an earlier one.
	apply(m *merging) error
	// owned returns the fields of a machine config that apply may change. [Patch.Apply] proves of each result that nothing else
	// differs: a field that is missing here cannot be changed.
	owned() []machineconfig.Field
}

// roleFeature is a feature of which something is for one role alone.
type roleFeature interface {
	feature
	// additions returns that, nil for nothing.
	additions() feature
}

// features are what a patch can set, each by the function that checks what was asked for and returns nil where that was nothing.
// It is the order of checks, which may look at the features before them, and that of the documents, which is a promise.
var features = []func(*draft) feature{
	newService,
	newNodeIP,
	newEtcd,
	newStaticHosts,
	newNameservers,
	newCertSANs,
	newFirewall,
	newKubeSpanFilter,
	newForwarding,
	newAPIServerSANs,
	newInstallImage,
}

// draft is a patch whose options are being checked.
type draft struct {
	*options

	// service and nodeIP are those features, which others depend on.
	service service
	nodeIP  nodeIP

	notes  notes
	faults Faults
}

// features checks the options and makes the features that they ask for.
func (d *draft) features() []feature {
	made := make([]feature, 0, len(features))

	for _, check := range features {
		if f := check(d); f != nil {
			made = append(made, f)
		}
	}

	if !d.additionsOnly || len(d.faults) > 0 {
		return made
	}

	made = roleAdditions(made)
	if len(made) == 0 {
		d.faults.add(CodeUnsupported, "role", "there is nothing that only the `role` %s may carry: leave the patch for it out", d.role)
	}

	return made
}

// roleAdditions returns what only the role may carry.
func roleAdditions(all []feature) []feature {
	var additions []feature

	for _, f := range all {
		if of, ok := f.(roleFeature); ok {
			if addition := of.additions(); addition != nil {
				additions = append(additions, addition)
			}
		}
	}

	return additions
}

// owned returns the fields of a machine config that the patch may change.
func (p *Patch) owned() []machineconfig.Field {
	var fields []machineconfig.Field

	for _, f := range p.features {
		fields = append(fields, f.owned()...)
	}

	return fields
}

// wholeDocument is a document that is ours as a whole.
func wholeDocument(kind, name string) machineconfig.Field {
	return machineconfig.Field{Kind: kind, Name: name}
}

// documentField is a field of the only document of a kind.
func documentField(kind string, path ...string) machineconfig.Field {
	return machineconfig.Field{Kind: kind, Path: path}
}

// legacyField is a field of the v1alpha1 config.
func legacyField(path ...string) machineconfig.Field {
	return machineconfig.Field{Kind: machineconfig.Legacy, Path: path}
}

// growing is a list of which nothing is removed.
func growing(f machineconfig.Field) machineconfig.Field {
	f.Grows = true

	return f
}

// union returns the texts of both lists, each once, those of the first as they are.
func union(theirs, ours []string) []string {
	joined := slices.Clone(theirs)

	for _, text := range ours {
		if !slices.Contains(joined, text) {
			joined = append(joined, text)
		}
	}

	return joined
}
