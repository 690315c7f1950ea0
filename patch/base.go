package patch

import (
	"github.com/siderolabs/go-pointer"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/nodeip"
)

// WithBase takes from a machine config what a patch for it needs to know: the contract and the role, where no other
// option says them, and for the default node IP the families of the cluster's service CIDRs in their order.
func WithBase(config *Config) Option {
	return func(o *options) { o.base = config }
}

// WithTarget makes the patch for one machine config, the one that it is applied to: what is not given is as the config has it, and
// what is wrong with the two together is found by [New]. It is [WithBase] too.
func WithTarget(config *Config) Option {
	return func(o *options) { o.target, o.base = config, config }
}

// resolve finds the contract and the role: those of the settings, else those of the base, else none. It takes from the base
// what the default node IP and the firewall depend on.
func (o *options) resolve() error {
	var faults Faults

	o.contract, o.role = contract.Newest, machine.TypeUnknown

	if o.TalosVersion != nil {
		version, err := contract.Parse(*o.TalosVersion)
		faults.addError(CodeUnsupported, "talos-version", "", err)

		if err == nil {
			o.contract = version
		}
	}

	switch role, err := machine.ParseType(pointer.SafeDeref(o.Role)); {
	case o.Role == nil:
	case err != nil || *o.Role == "":
		faults.add(CodeInvalid, "role", "`role` %s is unknown: write controlplane or worker", quote.Value(*o.Role))
	default:
		o.role = role
	}

	if o.base != nil {
		faults.addError(CodeConfig, "", "", o.useBase())
	}

	return faults.err()
}

// noteNewer notes what is of a Talos newer than this version knows: documents of the base, and the version that was asked for.
func (d *draft) noteNewer() {
	if d.base != nil {
		for _, kind := range d.base.UnknownKinds() {
			d.notes.add(NoteNewerTalos, "the machine config has a document %s, which talos %s does not know: it is kept as it is", machineconfig.KindName(kind), contract.Newest)
		}
	}

	if version := pointer.SafeDeref(d.TalosVersion); version != "" && contract.IsNewer(version) {
		d.notes.add(NoteNewerTalos, "`talos-version` %s is newer than this version knows: it is taken as %s", version, contract.Newest)
	}
}

// useBase fills in what the base says and the settings do not.
func (o *options) useBase() error {
	var err error

	if o.TalosVersion == nil {
		version, versionErr := o.base.contractOrError()
		if err = versionErr; err == nil {
			o.contract = version
		}
	}

	if o.Role == nil {
		o.role = o.base.Role()
	}

	o.baseBlocks = o.base.blocksByDefault()

	if cidrs := o.base.ServiceCIDRs(); cidrs != nil {
		o.defaultSubnets = nodeip.DefaultFor(cidrs)
	}

	return err
}
