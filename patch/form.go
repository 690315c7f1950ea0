package patch

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/siderolabs/go-pointer"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

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
		return p.withService(&o, func(s *service) { s.key = key }), nil
	}

	return newPatch(&o)
}

// isOrdinary reports whether a key is one that nothing depends on but its presence.
func isOrdinary(key authkey.Key) bool {
	return key.Kind() == authkey.KindAuth || key.Kind() == authkey.KindPlaceholder
}

// WithHostname returns the same patch for a node of another name. Nodes that differ in nothing else are checked once, and encoded
// once: [Patch.Bytes] of the further ones only puts their names and keys in.
func (p *Patch) WithHostname(name string) (*Patch, error) {
	if p.options == nil {
		return nil, errZero
	}

	o := *p.options
	before := pointer.SafeDeref(o.Hostname)
	o.Hostname = &name

	// the domain makes a name of the certificate out of it, and a machine config is looked at with it
	if !isOrdinaryHostname(before) || !isOrdinaryHostname(name) || o.MagicDNSDomain != nil || o.target != nil {
		return newPatch(&o)
	}

	named := p.withService(&o, func(s *service) {
		s.environment = slices.Clone(s.environment)
		s.environment.Set("TS_HOSTNAME", name)
	})
	named.isNamed = true

	return named, nil
}

// isOrdinaryHostname reports whether a hostname is one that nothing depends on.
func isOrdinaryHostname(name string) bool {
	return name != "" && containerboot.CheckHostname(name) == "" && !secret.Looks(name)
}

// withService returns the same patch of other options, whose service differs as change says.
func (p *Patch) withService(o *options, change func(*service)) *Patch {
	same := *p
	same.options, same.features = o, slices.Clone(p.features)

	for i, f := range same.features {
		if s, ok := f.(service); ok {
			change(&s)
			same.features[i] = s
		}
	}

	return &same
}

// form is the YAML of patches that differ in hostname and key: what stands before, between and after the lines of these two. It holds
// neither.
type form struct {
	pieces atomic.Pointer[[]string]
}

// learn takes the lines out of a text, in their order.
func (f *form) learn(text string, lines []string) {
	pieces := make([]string, 0, len(lines)+1)

	for _, line := range lines {
		before, after, ok := strings.Cut(text, line)
		if !ok || strings.Contains(after, line) { // in a config file, say
			return
		}

		pieces, text = append(pieces, before), after
	}

	pieces = append(pieces, text)
	f.pieces.Store(&pieces)
}

// fill returns a text with other lines, nil where none was learned.
func (f *form) fill(lines []string) []byte {
	pieces := f.pieces.Load()
	if pieces == nil || len(*pieces) != len(lines)+1 {
		return nil
	}

	size := 0
	for _, pieces := range [][]string{*pieces, lines} {
		for _, piece := range pieces {
			size += len(piece)
		}
	}

	text := append(make([]byte, 0, size), (*pieces)[0]...)
	for i, line := range lines {
		text = append(append(text, line...), (*pieces)[i+1]...)
	}

	return text
}

// encodeInForm is encode for a patch that differs from others in these lines: the first is the form of the further ones.
func (p *Patch) encodeInForm(lines []string) ([]byte, error) {
	if text := p.form.fill(lines); text != nil {
		return text, nil
	}

	text, err := p.encode(false)
	if err == nil {
		p.form.learn(string(text), lines)
	}

	return text, err
}

// formLines returns the lines in which the patch differs from those of the same form, nil where it is by itself, or YAML may write
// them in another way.
func (p *Patch) formLines() []string {
	if !p.isNamed {
		return nil
	}

	for _, f := range p.features {
		if s, ok := f.(service); ok {
			return s.formLines()
		}
	}

	return nil
}

func (s service) formLines() []string {
	if !s.key.IsZero() && s.keyMount != "" {
		return nil // the key is a text of its own then
	}

	lines := make([]string, 0, 2) //nolint:mnd // the key and the hostname

	for _, v := range s.environment {
		switch {
		case v.Name == authkey.EnvAuthKey && !s.key.IsZero():
			v.Value = s.secret(false)
		case v.Name != "TS_HOSTNAME":
			continue
		}

		if !isWord(strings.ReplaceAll(v.Value, ".", "")) {
			return nil
		}

		lines = append(lines, "    - "+v.String()+"\n")
	}

	return lines
}
