package patch

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
)

// Applied is a machine config with a patch in it.
type Applied struct {
	config   *Config
	patch    *Patch
	text     []byte
	splices  []machineconfig.Splice
	after    *machineconfig.File
	redacted func() []byte
}

// Apply puts the patch into a machine config. Unlike Talos's own patching, which appends lists, it sets what was given, so that
// applying it again changes nothing.
//
//   - What was given wins, variable by variable and argument by argument; what was not given stays as the config has it; only what
//     is in neither gets its default. A setting that has a variable and a flag has one value, where it is given.
//   - A key takes the place of every earlier way to log in. Without one the config's way stays; [WithoutAuthKey] takes it out.
//   - The subnets of the node IP, and of etcd, stay where the config has them; where those of the node IP let an address of the tailnet
//     in, the exclusion is added. A static host has the given addresses and no others; names of certificates join those there.
//   - [WithUnset] takes out what it names. What is kept and would stop the service is a [Fault] that says how to take it out.
//   - Everything else keeps its bytes, in the documents that change too: comments, indentation, quotes, block scalars, line
//     ends, a byte order mark, documents of kinds that this version does not know. Apply proves that of each result before
//     it returns it.
//
// A patch that was made without a Talos version and without [WithBase] takes the contract of the config.
//
// It fails for a patch of another role or contract, where the patch would make a config that Talos refuses, and where it
// would have to change what other places share by an anchor. Faults that the config had before are none of its. Its error
// is a [*ConfigError], or that of [New] for the config.
func (p *Patch) Apply(c *Config) (*Applied, error) {
	p, err := p.forConfig(c)
	if err != nil {
		return nil, err
	}

	if p.role != 0 && p.role.IsControlPlane() != c.role.IsControlPlane() {
		return nil, &ConfigError{Code: ConfigRole, Reason: fmt.Sprintf("it is of a %s, and the patch is for the role %s: leave `role` out", c.role, p.role)}
	}

	edit, err := p.edit(c, false)
	if err != nil {
		return nil, c.shift(err)
	}

	a := &Applied{config: c, patch: p, after: c.file}

	if a.splices, err = edit.Splices(); err != nil {
		return nil, c.shift(configError(err))
	}

	a.text = machineconfig.Spliced(c.file.Text(), a.splices)
	a.redacted = func() []byte { return p.redactedText(c) }

	if bytes.Equal(a.text, c.file.Text()) {
		a.splices = nil

		return a, nil
	}

	if err := a.prove(edit); err != nil {
		return nil, c.shift(err)
	}

	return a, nil
}

// prove reads the result again: everything that is not ours has to be the same, and Talos has to take it as it took the
// config before.
func (a *Applied) prove(edit *machineconfig.Edit) error {
	read := make(chan []talosReading, 1)
	go func() { read <- readPieces(a.config.file, a.splices) }()

	after, err := machineconfig.Parse(a.text)
	if err != nil {
		return &ConfigError{Code: ConfigUnproven, Reason: "the result would not be YAML: this is a fault of talos-tsbridge, please report it"}
	}

	a.after = after

	if err := errors.Join(machineconfig.Prove(a.config.file, after, a.patch.owned()), edit.Check(after)); err != nil {
		return configError(err)
	}

	loaded, err := a.config.loaded.reload(a.config.file, after, <-read)
	if err != nil {
		return err
	}

	return checkFaults(a.config.loaded, loaded)
}

// Bytes returns the config with the patch in it, and the auth key.
func (a *Applied) Bytes() []byte { return slices.Clone(a.text) }

// Redacted returns [Applied.Bytes] with [authkey.Redacted] in place of the auth key of the patch, to be shown or compared.
// The other secrets of the config stay in it.
func (a *Applied) Redacted() []byte { return a.redacted() }

// Changed reports whether the patch changes the config.
func (a *Applied) Changed() bool { return len(a.splices) > 0 }

// Notes returns what is worth knowing about the patch in this config.
func (a *Applied) Notes() []Note { return a.patch.Notes() }

// edit returns the edit that puts the patch into a config.
func (p *Patch) edit(c *Config, redacted bool) (*machineconfig.Edit, error) {
	m := &merging{config: c, edit: c.file.Edit(), contract: p.contract, redacted: redacted}

	for _, f := range p.features {
		if err := f.apply(m); err != nil {
			return nil, err
		}
	}

	return m.edit, nil
}

// redactedText returns the config with the redacted patch in it. It fails where that of the real one failed before.
func (p *Patch) redactedText(c *Config) []byte {
	edit, err := p.edit(c, true)
	if err != nil {
		return nil
	}

	text, err := edit.Bytes()
	if err != nil {
		return nil
	}

	return text
}

// forConfig returns the patch for a config: what is not given is as the config has it.
func (p *Patch) forConfig(c *Config) (*Patch, error) {
	switch {
	case p.options == nil:
		return nil, errZero
	case p.options.target == c:
		return p, nil
	}

	o := *p.options
	o.target = c

	if o.base == nil {
		o.base = c
	}

	return newPatch(&o)
}
