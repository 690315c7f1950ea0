package patch

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/siderolabs/go-pointer"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// setCertSANs checks the names of the certificate: those of the node in MagicDNS first, then the given ones.
func (p *Patch) setCertSANs(o *options, faults *Faults) {
	names := magicDNSNames(o, faults)

	p.node.certSANs = union(names, o.parseCertSANs(faults, "cert-san", o.CertSANs))
}

// parseCertSANs reads the names, and addresses, that a list gives to a certificate.
func (o *options) parseCertSANs(faults *Faults, option string, list []string) []string {
	var names []string

	for _, text := range list {
		name, reason := parseCertSAN(text)
		if template, ok := o.placeholder(faults, option, text); ok {
			name = template
		} else if reason != "" {
			faults.add(CodeInvalid, option, "`%s` %s %s: write a name such as lab-1.tail1234.ts.net, or an address", option, quote.Value(text), reason)

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

func certSANFragment(names []string) *v1alpha1.MachineConfig {
	if len(names) == 0 {
		return nil
	}

	return &v1alpha1.MachineConfig{MachineCertSANs: slices.Clone(names)}
}
