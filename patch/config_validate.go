package patch

import (
	"strings"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/validation"

	"github.com/talos-tsbridge/talos-tsbridge/internal/lazyregexp"
)

// anyNode is the mode of validation for every sort of machine: what only some need, an install disk for one, is not
// ours to ask for.
type anyNode struct{}

func (anyNode) String() string        { return "any" }
func (anyNode) RequiresInstall() bool { return false }
func (anyNode) InContainer() bool     { return false }

var _ validation.RuntimeMode = anyNode{}

// faultCount is how a list of errors begins.
var faultCount = lazyregexp.New(`\d+ errors? occurred:`)

// faultsOf returns what Talos finds wrong with a config where a client looks at it, as talosctl validate does.
func faultsOf(provider coreconfig.Provider) map[string]int {
	faults := map[string]int{}

	_, err := provider.ValidateAsClient(anyNode{}, validation.WithLocal())
	if err == nil {
		return faults
	}

	for line := range strings.Lines(faultCount().ReplaceAllString(err.Error(), "")) {
		if line = strings.TrimLeft(strings.TrimSpace(line), "* "); line != "" && !strings.HasSuffix(line, ":") { // which lists follow
			faults[line]++
		}
	}

	return faults
}

// checkFaults fails if a config has faults that an earlier one had not: those are what a patch made wrong.
func checkFaults(before, after *loadedConfig) error {
	faults := faultsOf(after.provider)
	if len(faults) == 0 {
		return nil
	}

	for fault, count := range faultsOf(before.provider) {
		faults[fault] -= count
	}

	for _, fault := range sortedKeys(faults) {
		if faults[fault] > 0 {
			return &ConfigError{Code: ConfigInvalid, Reason: "talos would refuse what the patch makes of it: " + saidOf(fault)}
		}
	}

	return nil
}

// knownFaults are the things that Talos's validation says of what a patch sets, and what may be repeated of them.
var knownFaults = []struct{ text, reason string }{
	{"already set in v1alpha1 config", "a field has its old form, of contract v1.13 or older, and its new one beside it"},
	{"key/cert combination should not be empty", "cluster.etcd has no ca, so this is a part of a config: give the whole config of a node"},
	{"etcd config is only allowed on control plane machines", "cluster.etcd is for control planes alone"},
	{"static host", "a static host"},
	{"StaticHostConfig", "a static host"},
	{"NetworkRuleConfig", "a firewall rule"},
	{"ResolverConfig", "the nameservers"},
	{"KubeSpanConfig", "the filter of KubeSpan"},
	{"KubeNodeConfig", "the node IP"},
	{"ExtensionServiceConfig", "the document of the service"},
}

// saidOf returns what may be repeated of a fault that Talos found.
func saidOf(fault string) string {
	for _, k := range knownFaults {
		if strings.Contains(fault, k.text) {
			return k.reason
		}
	}

	return askTalosctl
}
