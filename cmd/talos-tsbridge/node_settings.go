package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// nodeSettings are the flags of what a node of a tailnet needs besides the service and its node IP.
type nodeSettings struct {
	staticHosts     []string
	staticHostsFrom []string

	magicDNS    string
	nameservers []string

	certSANs       []string
	magicDNSDomain string

	firewall       bool
	kubeSpanFilter bool
	installImage   string
}

// magicDNSResolver is the one way in which --magicdns makes names known.
const magicDNSResolver = "resolver"

func (f *nodeSettings) bindNode(cmd *cobra.Command) {
	flags := cmd.Flags()

	flags.StringArrayVar(&f.staticHosts, "static-host", nil,
		"name for the node and, from Talos 1.14 on, for its pods, `NAME=IP[,IP]`: give IPv4 and IPv6; can be repeated")
	flags.StringArrayVar(&f.staticHostsFrom, "static-hosts-from", nil,
		"make static hosts of the devices with a `tag`, as they are now; asks the Tailscale API, with its credentials in the environment; "+
			"can be repeated")
	flags.StringVar(&f.magicDNS, "magicdns", "",
		"`way` to all names of the tailnet: resolver asks that of MagicDNS before every --nameserver")
	flags.StringArrayVar(&f.nameservers, "nameserver", nil, "with --magicdns: `IP` of a nameserver for all other names, in place of DHCP's; can be repeated")
	flags.StringArrayVar(&f.certSANs, "cert-san", nil, "further `name` of the node in the certificate of the Talos API; can be repeated")
	flags.StringVar(&f.magicDNSDomain, "magicdns-domain", "",
		"`domain` of the tailnet, such as tail1234.ts.net: puts the node's names in MagicDNS, made of --hostname, into that certificate")
	flags.BoolVar(&f.firewall, "firewall", false,
		"let the tailnet through a firewall that blocks by default; only for configs with NetworkDefaultActionConfig ingress: block")
	flags.BoolVar(&f.kubeSpanFilter, "kubespan-filter", false, "keep tailnet addresses out of KubeSpan's endpoints")
	flags.StringVar(&f.installImage, "install-image", "",
		"`image` to install, as schematic --image prints it; on v1.14 a note says where it goes instead")

	completeValues(cmd, "magicdns", magicDNSResolver)
}

// options turns the flags into options, but for the static hosts that are looked up. Its error joins all faults.
func (f *nodeSettings) options() ([]patch.Option, error) {
	var faults []error

	options := []patch.Option{
		patch.WithCertSANs(f.certSANs...),
		patch.WithMagicDNSDomain(f.magicDNSDomain),
		patch.WithInstallImage(f.installImage),
	}

	for _, text := range f.staticHosts {
		name, addresses, ok := strings.Cut(text, "=")
		if !ok {
			faults = append(faults, usagef("static host %s has no address: write NAME=IP, or NAME=IP,IP for IPv4 and IPv6", quote.Value(text)))

			continue
		}

		options = append(options, patch.WithStaticHost(name, strings.Split(addresses, ",")...))
	}

	switch {
	case f.magicDNS == magicDNSResolver:
		options = append(options, patch.WithMagicDNSResolver(f.nameservers...))
	case f.magicDNS != "":
		faults = append(faults, usagef("magicdns %s is unknown: write resolver", quote.Value(f.magicDNS)))
	case len(f.nameservers) > 0:
		faults = append(faults, usagef("nameserver is for the resolver of MagicDNS, which is asked first: add --magicdns resolver"))
	}

	if f.firewall {
		options = append(options, patch.WithFirewall())
	}

	if f.kubeSpanFilter {
		options = append(options, patch.WithKubeSpanFilter())
	}

	return options, errors.Join(faults...)
}
