package patch

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/siderolabs/go-pointer"
	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// WithCertSANs adds names, or addresses, to the certificate of the Talos API, so that talosctl can call the node by them.
// The addresses of the node, those in the tailnet included, are there already. Default: none.
func WithCertSANs(names ...string) Option {
	return func(o *options) { add(&o.CertSANs, names...) }
}

// WithMagicDNSDomain sets the domain of the tailnet, such as tail1234.ts.net, and so adds the names that the node has in
// MagicDNS to the certificate of the Talos API. It needs [WithHostname]. Default: none.
func WithMagicDNSDomain(domain string) Option {
	return func(o *options) { o.MagicDNSDomain = &domain }
}

// certSANs are names in the certificate of the Talos API.
type certSANs []string

var _ feature = certSANs{}

// newCertSANs checks the names: those of the node in MagicDNS first, then the given ones.
func newCertSANs(d *draft) feature {
	names := union(magicDNSNames(d.options, &d.faults), d.parseCertSANs("cert-san", d.CertSANs))
	if len(names) == 0 {
		return nil
	}

	return certSANs(names)
}

// parseCertSANs reads the names, and addresses, that a list gives to a certificate.
func (d *draft) parseCertSANs(option string, list []string) []string {
	var names []string

	for _, text := range list {
		name, reason := parseCertSAN(text)
		if template, ok := d.placeholder(&d.faults, option, text); ok {
			name = template
		} else if reason != "" {
			d.faults.add(CodeInvalid, option, "`%s` %s %s: write a name such as lab-1.tail1234.ts.net, or an address", option, quote.Value(text), reason)

			continue
		}

		names = append(names, name)
	}

	return names
}

// magicDNSNames returns the names that the node has in MagicDNS: the whole one, and the short one that search domains
// complete.
func magicDNSNames(o *options, faults *Faults) []string {
	const option = "magicdns-domain"

	given := pointer.SafeDeref(o.MagicDNSDomain)
	if given == "" {
		return nil
	}

	hostname, ofTemplate := strings.CutPrefix(pointer.SafeDeref(o.Hostname), placeholderPrefix)
	if !ofTemplate {
		hostname = strings.ToLower(hostname)
	}

	domain, isTemplate := o.placeholder(faults, option, given)
	reason := ""

	if !isTemplate {
		domain = canonicalName(given)
		reason = containerboot.CheckHostname(domain)

		if reason == "" && !strings.Contains(domain, ".") {
			reason = "is not a whole domain"
		}
	}

	switch {
	case secret.Looks(domain):
		faults.add(CodeSecret, option, "`magicdns-domain` looks like a key: write one such as tail1234.ts.net")
	case reason != "":
		faults.add(CodeInvalid, option, "`magicdns-domain` %s %s: write one such as tail1234.ts.net", quote.Value(given), reason)
	case hostname == "":
		faults.add(CodeMissing, option, "`magicdns-domain` makes a name of the hostname, and there is none: set `hostname`, or give the whole name as `cert-san`")
	case !ofTemplate && strings.Contains(hostname, "."):
		faults.add(CodeConflict, option, "`magicdns-domain`: a `hostname` of several labels has another name in MagicDNS: give that as `cert-san`")
	default:
		return []string{hostname + "." + domain, hostname}
	}

	return nil
}

func parseCertSAN(text string) (name, reason string) {
	if address, err := netip.ParseAddr(strings.TrimSpace(text)); err == nil {
		return address.WithZone("").Unmap().String(), ""
	}

	name = canonicalName(text)
	if secret.Looks(name) {
		return "", "looks like a key"
	}

	return name, containerboot.CheckHostname(strings.TrimPrefix(name, "*."))
}

func (c certSANs) documents(*coreconfig.VersionContract, bool) []config.Document {
	return machineFragment(&v1alpha1.MachineConfig{MachineCertSANs: slices.Clone(c)})
}

// deletions are none: the names of others would go too.
func (certSANs) deletions() []string { return nil }

// owned is a list to which names are added.
func (certSANs) owned() []machineconfig.Field {
	return []machineconfig.Field{growing(legacyField("machine", "certSANs"))}
}

func (c certSANs) apply(m *merging) error {
	d, machine := m.legacy()
	m.set(d, machine.MachineCertSANs, union(machine.MachineCertSANs, c), "machine", "certSANs")

	return nil
}
