package patch

import (
	"errors"
	"fmt"
	"slices"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/siderolabs/talos/pkg/machinery/config/merge"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/document"
)

// Patch is a checked patch, made by [New]. It can be printed: the key in it is an [authkey.Key], which prints as [redacted].
// [Patch.Bytes], [Patch.Documents] and [Patch.Apply] reveal the key. A Patch does not change once it is made and may be
// used concurrently. The zero Patch is none: all its methods that make something fail.
type Patch struct {
	// options are what it was made of; nil in the zero Patch.
	options  *options
	contract *coreconfig.VersionContract
	role     machine.Type
	// features are what it sets, in their order.
	features []feature
	replace  bool
	notes    notes
	// form is what it shares with those of other hostnames, and isNamed tells that it is one of these.
	form    *form
	isNamed bool
}

// New checks the options and makes a patch of them. Its error is a [Faults], all that is wrong with them at once, and
// repeats no secret.
func New(opts ...Option) (*Patch, error) {
	o := &options{}

	for _, opt := range opts {
		opt(o)
	}

	return newPatch(o)
}

var errZero = errors.New("the zero patch is none: make one with patch.New")

func newPatch(o *options) (*Patch, error) {
	d := &draft{options: o, faults: slices.Clone(o.faults)}
	o.placeholders = nil

	d.faults.addError(CodeConfig, "", "", o.resolve())
	o.readFiles(&d.faults)
	d.noteNewer()
	d.checkReplace()

	made := d.features()

	if len(d.faults) > 0 {
		return nil, d.faults
	}

	return &Patch{options: o, contract: o.contract, role: o.role, features: made, replace: o.replace, notes: d.notes, form: &form{}}, nil
}

// Contract returns the version contract that the patch is for.
func (p *Patch) Contract() *coreconfig.VersionContract { return p.contract }

// Notes returns what is worth knowing about the patch, without secrets: input that was changed, choices that bite later.
func (p *Patch) Notes() []Note { return slices.Clone(p.notes) }

// Documents returns the typed documents of the patch, with the auth key in them, for a config container of the caller's
// own. Each call makes new ones. A placeholder stands in them as it is, but for a nameserver in a document that takes addresses alone:
// there it is the zone of ::, and only [Patch.Bytes] writes the placeholder.
func (p *Patch) Documents() ([]config.Document, error) {
	return p.documents(false)
}

// Bytes returns the patch as YAML, with the auth key in it: the fragment of the v1alpha1 config first, then the other
// documents, separated by "---". The same options give the same bytes within a major version.
func (p *Patch) Bytes() ([]byte, error) {
	if lines := p.formLines(); len(lines) > 0 {
		return p.encodeInForm(lines)
	}

	return p.encode(false)
}

// Redacted returns the patch as YAML with [authkey.Redacted] in place of the auth key, to be shown or compared. It loads
// as a patch too, but joins no node.
func (p *Patch) Redacted() ([]byte, error) {
	return p.encode(true)
}

func (p *Patch) encode(redacted bool) ([]byte, error) {
	documents, err := p.documents(redacted)
	if err != nil {
		return nil, err
	}

	return document.Encode(p.deletions(), documents, writeTemplates(p.templates(redacted)))
}

// documents returns the documents of all features: the v1alpha1 config first, of which each may have a part.
func (p *Patch) documents(redacted bool) ([]config.Document, error) {
	if p.options == nil {
		return nil, errZero
	}

	var (
		legacy    *v1alpha1.Config
		documents []config.Document
	)

	for _, f := range p.features {
		made := f.documents(p.contract, redacted)
		if p.options.base.refuses(made) {
			made = f.documents(contract.Oldest, redacted)
		}

		for _, document := range made {
			switch part, ok := document.(*v1alpha1.Config); {
			case !ok:
				documents = append(documents, document)
			case legacy == nil:
				legacy = part
			default:
				if err := merge.Merge(legacy, part); err != nil {
					return nil, fmt.Errorf("v1alpha1 config: %w", err)
				}
			}
		}
	}

	if legacy != nil {
		documents = slices.Insert(documents, 0, config.Document(legacy))
	}

	return documents, nil
}

// machineFragment is a part of the v1alpha1 config.
func machineFragment(machine *v1alpha1.MachineConfig) []config.Document {
	return []config.Document{&v1alpha1.Config{ConfigVersion: v1alpha1.Version, MachineConfig: machine}}
}
