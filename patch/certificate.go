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

	for _, text := range o.CertSANs {
		name, reason := parseCertSAN(text)
		if reason != "" {
			faults.add(CodeInvalid, "cert-san", "`cert-san` %s %s: write a name such as lab-1.tail1234.ts.net, or an address", quote.Value(text), reason)

			continue
		}

		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}

	p.node.certSANs = names
}

// magicDNSNames returns the names that the node has in MagicDNS: the whole one, and the short one that search domains
// complete.
func magicDNSNames(o *options, faults *Faults) []string {
	const option = "magicdns-domain"

	given, hostname := pointer.SafeDeref(o.MagicDNSDomain), pointer.SafeDeref(o.Hostname)
	if given == "" {
		return nil
	}

	domain := canonicalName(given)

	reason := containerboot.CheckHostname(domain)
	if reason == "" && !strings.Contains(domain, ".") {
		reason = "is not a whole domain"
	}

	switch {
	case secret.Looks(domain):
		faults.add(CodeSecret, option, "`magicdns-domain` looks like a key: write one such as tail1234.ts.net")
	case reason != "":
		faults.add(CodeInvalid, option, "`magicdns-domain` %s %s: write one such as tail1234.ts.net", quote.Value(given), reason)
	case hostname == "":
		faults.add(CodeMissing, option, "`magicdns-domain` makes a name of the hostname, and there is none: set `hostname`, or give the whole name as `cert-san`")
	case strings.HasPrefix(hostname, placeholderPrefix):
		faults.add(CodeConflict, option, "`magicdns-domain` makes a name of the `hostname`, which is a placeholder: give the whole name as `cert-san`")
	case strings.Contains(hostname, "."):
		faults.add(CodeConflict, option, "`magicdns-domain`: a `hostname` of several labels has another name in MagicDNS: give that as `cert-san`")
	default:
		name := strings.ToLower(hostname)

		return []string{name + "." + domain, name}
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
