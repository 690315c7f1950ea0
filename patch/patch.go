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
	"github.com/talos-tsbridge/talos-tsbridge/nodeip"
)

// Patch is a checked patch. It holds the auth key in its redacted form only, so it can be printed; [Patch.Documents] and
// [Patch.Bytes] reveal the key. It does not change once it is made and may be used concurrently.
type Patch struct {
	contract *coreconfig.VersionContract
	role     machine.Type
	service  service
	nodeIP   nodeip.Subnets
	etcd     nodeip.Subnets
	node     node
	replace  bool
	// additionsOnly leaves out what every node may carry.
	additionsOnly bool
	notes         []string
}

// New checks the options and makes a patch of them. Its error joins the faults of all options, a line each, and repeats
// no secret.
func New(opts ...Option) (*Patch, error) {
	o := defaultOptions()

	for _, opt := range opts {
		opt(o)
	}

	baseErr := o.useBase()
	version, contractErr := contract.Resolve(o.contract)
	p := &Patch{contract: version, role: o.role}

	if err := errors.Join(baseErr, contractErr, p.setReplace(o), p.setService(o), p.setSubnets(o), p.setNode(o)); err != nil {
		return nil, err
	}

	if o.additionsOnly {
		return p.additions()
	}

	return p, nil
}

// additions returns what is left of the patch without what every node may carry.
func (p *Patch) additions() (*Patch, error) {
	additions := &Patch{
		contract: p.contract, role: p.role, replace: p.replace, notes: p.notes,
		etcd: p.etcd, node: p.node.additions(), additionsOnly: true,
	}

	if additions.etcd.IsEmpty() && !additions.node.kubernetesRule {
		return nil, fmt.Errorf("there is nothing that only the role %s may carry: leave the patch for it out", p.role)
	}

	return additions, nil
}

func (p *Patch) setService(o *options) error {
	service, notes, err := newService(o)
	p.service = service
	p.notes = append(p.notes, notes...)

	return err
}

func (p *Patch) setSubnets(o *options) error {
	var faults []error

	switch {
	case o.noNodeIP && len(o.nodeIPSubnets) > 0:
		faults = append(faults, errors.New("node IP subnets or no node IP, not both"))
	case o.noNodeIP:
	case len(o.nodeIPSubnets) == 0:
		p.nodeIP = o.defaultSubnets

		if p.nodeIP.IsEmpty() {
			p.nodeIP = nodeip.Default()
		}

		if o.base == nil {
			p.notes = append(p.notes, "node IP: any IPv4 address outside of the tailnet; an IPv6 or dual-stack cluster must name its subnets, "+
				"such as ::/0, or the kubelet may not start")
		}
	default:
		subnets, err := nodeip.Parse(o.nodeIPSubnets...)
		faults = append(faults, prefixed("node IP", err)...)
		p.nodeIP = subnets
		p.addNotes("node IP", subnets)
	}

	switch {
	case len(o.etcdSubnets) == 0:
		if p.role.IsControlPlane() {
			p.etcd = p.nodeIP

			if p.etcd.IsEmpty() {
				p.notes = append(p.notes, "etcd: no subnets, so it may advertise the tailnet address of the node")
			}
		}
	case !p.role.IsControlPlane():
		faults = append(faults, errors.New("etcd subnets are for control planes only, talos refuses them on workers: set the role controlplane, "+
			"or leave them out"))
	default:
		subnets, err := nodeip.Parse(o.etcdSubnets...)
		faults = append(faults, prefixed("etcd", err)...)
		p.etcd = subnets
		p.addNotes("etcd", subnets)
	}

	return errors.Join(faults...)
}

func (p *Patch) addNotes(subject string, subnets nodeip.Subnets) {
	for _, note := range subnets.Notes() {
		p.notes = append(p.notes, subject+": "+note)
	}
}

// prefixed names the subject in each of the joined errors.
func prefixed(subject string, err error) []error {
	if err == nil {
		return nil
	}

	faults := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		faults = slices.Clone(joined.Unwrap())
	}

	for i, fault := range faults {
		faults[i] = fmt.Errorf("%s: %w", subject, fault)
	}

	return faults
}

// Contract returns the version contract that the patch is for.
func (p *Patch) Contract() *coreconfig.VersionContract { return p.contract }

// Notes returns what is worth knowing about the patch, a sentence each and without secrets: input that was changed,
// choices that bite later.
func (p *Patch) Notes() []string { return slices.Clone(p.notes) }

// Documents returns the typed documents of the patch, with the auth key in them, for a config container of the caller's
// own. Each call makes new ones.
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

	return encode(p.deletions(), documents)
}

func (p *Patch) documents(redacted bool) ([]config.Document, error) {
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
