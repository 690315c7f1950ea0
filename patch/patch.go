package patch

import (
	"errors"
	"fmt"
	"slices"

	"github.com/siderolabs/go-pointer"
	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/siderolabs/talos/pkg/machinery/config/merge"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
)

// Patch is a checked patch, made by [New]. It can be printed: the key in it is an [authkey.Key], which prints as [redacted].
// [Patch.Bytes], [Patch.Documents] and [Patch.Apply] reveal the key. A Patch does not change once it is made and may be
// used concurrently. The zero Patch is none: all its methods that make something fail.
type Patch struct {
	// options are what it was made of; nil in the zero Patch.
	options  *options
	contract *coreconfig.VersionContract
	role     machine.Type
	service  service
	nodeIP   subnetList
	etcd     subnetList
	// subnets are what becomes of the lists in the machine config that the patch goes into.
	subnets subnetChanges
	node    node
	replace bool
	// additionsOnly leaves out what every node may carry.
	additionsOnly bool
	notes         notes
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

// WithKey returns the same patch with another key: so that everything can be checked before a key is made, and several
// nodes can have one each.
func (p *Patch) WithKey(key authkey.Key) (*Patch, error) {
	if p.options == nil {
		return nil, errZero
	}

	o := *p.options
	before := o.AuthKey
	o.AuthKey = key

	// what is checked depends on the kind of the key alone: where that leaves it as it was, nothing needs to be checked again
	if isOrdinary(before) && isOrdinary(key) {
		same := *p
		same.options, same.service.key = &o, key

		return &same, nil
	}

	return newPatch(&o)
}

// isOrdinary reports whether a key is one that nothing depends on but its presence.
func isOrdinary(key authkey.Key) bool {
	return key.Kind() == authkey.KindAuth || key.Kind() == authkey.KindPlaceholder
}

var errZero = errors.New("the zero patch is none: make one with patch.New")

func newPatch(o *options) (*Patch, error) {
	faults := slices.Clone(o.faults)
	o.placeholders = nil

	faults.addError(CodeConfig, "", "", o.resolve())

	o.readFiles(&faults)

	p := &Patch{options: o, contract: o.contract, role: o.role}
	p.noteUnknown(o)

	if version := pointer.SafeDeref(o.TalosVersion); version != "" && contract.IsNewer(version) {
		p.notes.add(NoteNewerTalos, "`talos-version` %s is newer than this version knows: it is taken as %s", version, contract.Newest)
	}

	p.setReplace(o, &faults)
	p.setService(o, &faults)
	p.setSubnets(o, &faults)
	p.setNode(o, &faults)
	p.noteOwnLAN(o)

	if o.additionsOnly && len(faults) == 0 {
		p.keepAdditions(&faults)
	}

	if len(faults) > 0 {
		return nil, faults
	}

	return p, nil
}

// keepAdditions leaves of the patch what only its role may carry.
func (p *Patch) keepAdditions(faults *Faults) {
	p.service, p.nodeIP, p.node, p.additionsOnly = service{}, subnetList{}, p.node.additions(), true

	if p.etcd.IsEmpty() && !p.node.kubernetesRule && len(p.node.apiServerSANs) == 0 {
		faults.add(CodeUnsupported, "role", "there is nothing that only the `role` %s may carry: leave the patch for it out", p.role)
	}
}

func (p *Patch) setService(o *options, faults *Faults) {
	made, more, wrong := newService(o)
	p.service = made
	p.notes = append(p.notes, more...)
	*faults = append(*faults, wrong...)
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

	return encode(p.deletions(), documents, p.templates(redacted))
}

func (p *Patch) documents(redacted bool) ([]config.Document, error) {
	if p.options == nil {
		return nil, errZero
	}

	nodeIP, err := p.nodeIP.Document(p.contract)
	if err != nil {
		return nil, err
	}

	fragments := p.node.fragments(p.contract)

	if etcd := p.etcd.EtcdDocument(); etcd != nil {
		fragments = append(fragments, etcd)
	}

	if legacy, ok := nodeIP.(*v1alpha1.Config); ok {
		fragments, nodeIP = append(fragments, legacy), nil
	}

	documents, err := mergeFragments(fragments)
	if err != nil {
		return nil, err
	}

	if !p.additionsOnly {
		documents = append(documents, p.service.document(redacted))
	}

	if nodeIP != nil {
		documents = append(documents, nodeIP)
	}

	return append(documents, p.node.documents(p.contract)...), nil
}

// mergeFragments makes one document of the parts of a v1alpha1 config, or none of none.
func mergeFragments(fragments []*v1alpha1.Config) ([]config.Document, error) {
	if len(fragments) == 0 {
		return nil, nil
	}

	for _, fragment := range fragments[1:] {
		if err := merge.Merge(fragments[0], fragment); err != nil {
			return nil, fmt.Errorf("v1alpha1 config: %w", err)
		}
	}

	return []config.Document{fragments[0]}, nil
}
