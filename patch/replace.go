package patch

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
)

// WithReplace makes [Patch.Bytes] and [Patch.Redacted] begin with documents that delete what an earlier patch set, so
// that the stream replaces it instead of adding to it. It needs contract v1.14 or newer: before, Talos cannot delete what
// is not there. [Patch.Apply] replaces on every contract. Default: the patch adds.
func WithReplace() Option {
	return func(o *options) { o.replace = true }
}

// The documents that delete, in the order of the documents that set. Of a document that holds more than ours, only our
// field is deleted.
const (
	deleteEtcd = `cluster:
    etcd:
        advertisedSubnets:
            $patch: delete
`
	deleteService = `apiVersion: v1alpha1
kind: ExtensionServiceConfig
name: ` + ServiceName + `
$patch: delete
`
	deleteNodeIP = `apiVersion: v1alpha1
kind: KubeNodeConfig
nodeIP:
    $patch: delete
`
	deleteStaticHost = `apiVersion: v1alpha1
kind: StaticHostConfig
name: %s
$patch: delete
`
	deleteNameservers = `apiVersion: v1alpha1
kind: ResolverConfig
nameservers:
    $patch: delete
`
	deleteKubeSpanFilter = `apiVersion: v1alpha1
kind: KubeSpanConfig
filters:
    endpoints:
        $patch: delete
`
)

// deletions returns what to write before the patch.
func (p *Patch) deletions() string {
	if !p.replace {
		return ""
	}

	documents := []string{}

	if !p.etcd.IsEmpty() {
		documents = append(documents, deleteEtcd)
	}

	if !p.additionsOnly {
		documents = append(documents, deleteService)
	}

	if !p.nodeIP.IsEmpty() {
		documents = append(documents, deleteNodeIP)
	}

	return strings.Join(append(documents, p.node.deletions()...), "---\n") + "---\n"
}

// deletions returns the documents that delete what else an earlier patch set. Firewall rules and kernel parameters are
// replaced anyway. Names of the certificate are not deleted, because those of others would go too.
func (n node) deletions() []string {
	var documents []string

	for _, host := range n.hosts {
		documents = append(documents, fmt.Sprintf(deleteStaticHost, quotedAddress(host.address)))
	}

	if n.nameservers != nil {
		documents = append(documents, deleteNameservers)
	}

	if n.kubeSpanFilter {
		documents = append(documents, deleteKubeSpanFilter)
	}

	return documents
}

// quotedAddress quotes an address, as an IPv6 one may look like something else to YAML, and writes a placeholder as it is.
func quotedAddress(address netip.Addr) string {
	switch text := addressText(address); {
	case !strings.ContainsAny(text, `"\`):
		return `"` + text + `"`
	case !strings.Contains(text, "'"):
		return "'" + text + "'"
	default:
		return "|-\n    " + text
	}
}

func (p *Patch) setReplace(o *options, faults *Faults) {
	if o.replace && p.contract != nil && !contract.DeleteDirectives(p.contract) {
		faults.add(CodeUnsupported, "talos-version", "a patch can only replace an earlier one on `talos-version` v1.14 or newer: use apply, which "+
			"replaces on every version")
	}

	p.replace = o.replace
}
