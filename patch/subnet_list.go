package patch

import (
	"net/netip"
	"slices"
	"strings"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/k8s"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/talos-tsbridge/talos-tsbridge/internal/cidr"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
	"github.com/talos-tsbridge/talos-tsbridge/nodeip"
)

// subnetList is a checked list of subnets, in which placeholders may stand.
type subnetList struct {
	nodeip.Subnets

	// texts is the list with the placeholders, nil where there is none.
	texts []string
	// template puts the placeholders in the place of the stand-ins.
	template *strings.Replacer
}

// parseSubnets checks a list. A placeholder stands for one subnet, and one that begins with ! for one to exclude. While the list is
// checked, an address of no network stands in for each. What it becomes may hold addresses of the tailnet, so these are excluded, unless
// another subnet asks for them.
func (o *options) parseSubnets(faults *Faults, option string, list []string) subnetList {
	checked := slices.Clone(list)
	standIns := map[string]string{}

	for i, value := range list {
		text, ok := o.placeholder(faults, option, value)
		if !ok {
			continue
		}

		text, isNegative := strings.CutPrefix(text, "!")
		if standIns[text] == "" {
			standIns[text] = netip.PrefixFrom(netip.AddrFrom4([4]byte{240, 0, byte(i >> 8), byte(i)}), 32).String()
		}

		checked[i] = standIns[text]
		if isNegative {
			checked[i] = "!" + checked[i]
		}
	}

	subnets, err := nodeip.Parse(checked...)
	faults.addError(CodeInvalid, option, "`"+option+"`: ", err)

	if len(standIns) == 0 {
		return subnetList{Subnets: subnets}
	}

	var pairs []string
	for text, standIn := range standIns {
		pairs = append(pairs, standIn, text)
	}

	made := subnetList{Subnets: subnets, template: strings.NewReplacer(pairs...)}

	for _, subnet := range subnets.Strings() {
		made.texts = append(made.texts, made.template.Replace(subnet))
	}

	for _, tailnet := range tailaddr.Ranges() {
		isAsked := slices.ContainsFunc(positive(checked), func(p netip.Prefix) bool { return cidr.Contains(tailnet, p) })

		if exclusion := "!" + tailnet.String(); !isAsked && !slices.Contains(made.texts, exclusion) {
			made.texts = append(made.texts, exclusion)
		}
	}

	return made
}

// isTemplate reports whether a placeholder stands in the list.
func (s subnetList) isTemplate() bool { return s.texts != nil }

// Strings is that of [nodeip.Subnets], with the placeholders.
func (s subnetList) Strings() []string {
	if s.isTemplate() {
		return slices.Clone(s.texts)
	}

	return s.Subnets.Strings()
}

// Notes is that of [nodeip.Subnets], with the placeholders.
func (s subnetList) Notes() []string {
	notes := s.Subnets.Notes()

	for i := range notes {
		if s.isTemplate() {
			notes[i] = s.template.Replace(notes[i])
		}
	}

	return notes
}

// Document is that of [nodeip.Subnets], with the placeholders.
func (s subnetList) Document(version *coreconfig.VersionContract) (config.Document, error) {
	document, err := s.Subnets.Document(version)

	switch document := document.(type) {
	case *k8s.KubeNodeConfigV1Alpha1:
		document.NodeIPConfig.NodeIPValidSubnets = s.Strings()
	case *v1alpha1.Config:
		document.MachineConfig.MachineKubelet.KubeletNodeIP.KubeletNodeIPValidSubnets = s.Strings()
	}

	return document, err
}

// EtcdDocument is that of [nodeip.Subnets], with the placeholders.
func (s subnetList) EtcdDocument() *v1alpha1.Config {
	document := s.Subnets.EtcdDocument()
	if document != nil {
		document.ClusterConfig.EtcdConfig.EtcdAdvertisedSubnets = s.Strings()
	}

	return document
}
