package patch

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

// setCertSANs checks the names of the certificate: those of the node in MagicDNS first, then the given ones.
func (p *Patch) setCertSANs(o *options) error {
	names, err := magicDNSNames(o)
	faults := []error{err}

	for _, text := range o.certSANs {
		name, reason := parseCertSAN(text)
		if reason != "" {
			faults = append(faults, fmt.Errorf("cert-san %s %s: write a name such as lab-1.tail1234.ts.net, or an address", quote.Value(text), reason))

			continue
		}

		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}

	p.node.certSANs = names

	return errors.Join(faults...)
}

// magicDNSNames returns the names that the node has in MagicDNS: the whole one, and the short one that search domains
// complete.
func magicDNSNames(o *options) ([]string, error) {
	if o.magicDNSDomain == "" {
		return nil, nil
	}

	domain := canonicalName(o.magicDNSDomain)

	reason := checkHostname(domain)
	if reason == "" && !strings.Contains(domain, ".") {
		reason = "is not a whole domain"
	}

	switch {
	case quote.LooksSecret(domain):
		return nil, errors.New("magicdns-domain looks like a key: write one such as tail1234.ts.net")
	case reason != "":
		return nil, fmt.Errorf("magicdns-domain %s %s: write one such as tail1234.ts.net", quote.Value(o.magicDNSDomain), reason)
	case o.hostname == "":
		return nil, errors.New("magicdns-domain makes a name of the hostname, and there is none: set hostname, or give the whole name as cert-san")
	case strings.Contains(o.hostname, "."):
		return nil, errors.New("magicdns-domain: a hostname of several labels has another name in MagicDNS: give that as cert-san")
	}

	name := strings.ToLower(o.hostname)

	return []string{name + "." + domain, name}, nil
}

func parseCertSAN(text string) (name, reason string) {
	if address, err := netip.ParseAddr(strings.TrimSpace(text)); err == nil {
		return address.WithZone("").Unmap().String(), ""
	}

	name = canonicalName(text)
	if quote.LooksSecret(name) {
		return "", "looks like a key"
	}

	return name, checkHostname(strings.TrimPrefix(name, "*."))
}

func certSANFragment(names []string) *v1alpha1.MachineConfig {
	if len(names) == 0 {
		return nil
	}

	return &v1alpha1.MachineConfig{MachineCertSANs: slices.Clone(names)}
}
