package fleet

import (
	"errors"
	"fmt"
	"strings"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configdiff"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"

	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// Diff returns what changes in the machine config of the node, as a unified diff with the secrets of the cluster and of
// the service redacted; nothing where nothing is known of it.
func (r NodeReport) Diff() (string, error) {
	if r.before == nil || r.final == nil {
		return "", nil
	}

	before, err := withoutSecrets(r.before)
	if err != nil {
		return "", err
	}

	final, err := withoutSecrets(r.final)
	if err != nil {
		return "", err
	}

	diff, err := configdiff.DiffConfigs(before, final)
	if err != nil {
		return "", fmt.Errorf("node %s: the change cannot be shown", r.Node)
	}

	return redactLines(diff), nil
}

func withoutSecrets(config []byte) (coreconfig.Provider, error) {
	provider, err := configloader.NewFromBytes(config, configloader.WithNoValidation())
	if err != nil {
		return nil, errors.New("the change cannot be shown: the config has what this version does not know")
	}

	return provider.RedactSecrets(secret.Redacted), nil
}

// redactLines takes out of a diff the secrets of the service, which Talos does not know for such.
func redactLines(diff string) string {
	var clean strings.Builder

	for line := range strings.Lines(diff) {
		trimmed := strings.TrimLeft(line, "+- ")
		name, value, isVariable := strings.Cut(strings.Trim(strings.TrimSpace(trimmed), `'"`), "=")

		switch {
		case isVariable && secret.IsVariable(name) && !strings.HasPrefix(value, "file:"):
			clean.WriteString(line[:len(line)-len(trimmed)] + name + "=" + secret.Redacted + "\n")
		case secret.Looks(line):
			clean.WriteString(line[:len(line)-len(trimmed)] + secret.Redacted + "\n")
		default:
			clean.WriteString(line)
		}
	}

	return clean.String()
}
