package patch_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/validation"
	reader "go.yaml.in/yaml/v3"
)

// leaks tells whether an error repeats a value of the config. What the values are is told by another reader, of the config
// before its mutation; short ones are words that an error may hold by itself.
func leaks(err error, text string) string {
	const shortest = 12

	if strings.Contains(err.Error(), "\n") {
		return "an error of several lines: " + err.Error()
	}

	for _, value := range append(secretsOf(text), "OldOldOld") {
		if len(value) >= shortest && strings.Contains(err.Error(), value) || value == "OldOldOld" && strings.Contains(err.Error(), value) {
			return "an error that repeats the config: " + err.Error()
		}
	}

	return ""
}

// secretsOf returns words of a text that have digits in them, as keys, tokens, addresses and images do.
func secretsOf(text string) []string {
	var found []string

	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || strings.ContainsRune("\"',[]{}=\u0085\u2028\u2029", r) }) {
		if strings.ContainsAny(word, "0123456789") && word != "v1alpha1" && !strings.HasPrefix(word, "line") {
			found = append(found, word)
		}
	}

	return found
}

// stillValid tells what Talos finds wrong with a result.
func stillValid(after []byte) string {
	loaded, err := configloader.NewFromBytes(after)
	if err != nil {
		return "Talos does not read the result: " + err.Error()
	}

	if _, err := loaded.ValidateAsClient(metal{}, validation.WithLocal()); err != nil {
		return "Talos refuses the result: " + err.Error()
	}

	return ""
}

// theirs are the paths that a patch may change, in another notation than that of the product.
var theirs = map[string][]string{
	"ExtensionServiceConfig/tailscale": {""},
	"KubeNodeConfig/":                  {"nodeIP.validSubnets"},
	"StaticHostConfig/*":               {""},
	"KubeSpanConfig/":                  {"filters.endpoints"},
	"SysctlConfig/":                    {"params.net.ipv6.conf.all.forwarding"},
	"UnattendedInstallConfig/":         {"installer.image"},
	"KubeAPIServerConfig/":             {"certExtraSANs"},
	"/": {
		"machine.kubelet.nodeIP.validSubnets", "cluster.etcd.advertisedSubnets", "cluster.apiServer.certSANs", "machine.certSANs", "machine.network.extraHostEntries",
		"machine.network.kubespan.filters.endpoints", "machine.sysctls.net.ipv6.conf.all.forwarding", "machine.install.image",
	},
}

// sameBesides tells what differs between two configs besides what is the patch's.
func sameBesides(before, after string) string {
	valuesBefore, err := otherValues(before)
	if err != nil {
		return ""
	}

	valuesAfter, err := otherValues(after)
	if err != nil {
		return "the other reader does not read the result: " + err.Error()
	}

	if !reflect.DeepEqual(valuesBefore, valuesAfter) {
		return fmt.Sprintf("something else changed:\n%v\n%v", valuesBefore, valuesAfter)
	}

	return ""
}

// otherValues returns the documents of a config without what is the patch's.
func otherValues(text string) ([]any, error) {
	var documents []any

	for decoder := reader.NewDecoder(strings.NewReader(text)); ; {
		var n reader.Node
		if err := decoder.Decode(&n); err != nil {
			if err.Error() == "EOF" {
				return documents, nil
			}

			return nil, err
		}

		var value any
		if err := n.Decode(&value); err != nil {
			return nil, err
		}

		for _, path := range pathsOf(value) {
			if path == "" {
				value = nil
			} else {
				value = without(value, path)
			}
		}

		if m, ok := value.(map[string]any); ok && len(pathsOf(value)) > 0 {
			m = maps(m, "apiVersion", "kind", "name")
			if len(m) == 0 {
				value = nil
			}
		}

		if value != nil {
			documents = append(documents, value)
		}
	}
}

func maps(m map[string]any, without ...string) map[string]any {
	rest := map[string]any{}
	for key, value := range m {
		if !slices.Contains(without, key) {
			rest[key] = value
		}
	}

	return rest
}

func pathsOf(document any) []string {
	m, ok := document.(map[string]any)
	if !ok {
		return nil
	}

	kind, _ := m["kind"].(string)
	name, _ := m["name"].(string)

	if kind == "" {
		return theirs["/"]
	}

	if paths := theirs[kind+"/"+name]; paths != nil {
		return paths
	}

	return theirs[kind+"/*"]
}

// without returns a value without what is at a path, and without the mappings that held nothing else.
func without(value any, path string) any {
	m, ok := value.(map[string]any)
	if !ok {
		return value
	}

	for key, child := range m {
		rest, isHere := strings.CutPrefix(path, key)

		switch {
		case isHere && rest == "":
			delete(m, key)
		case isHere && rest[0] == '.':
			if m[key] = without(child, rest[1:]); m[key] == nil {
				delete(m, key)
			}

			if inner, ok := m[key].(map[string]any); ok && len(inner) == 0 {
				delete(m, key)
			}
		}
	}

	return m
}

// otherLines tells which line changed that holds nothing of the patch. Lines of collections in brackets are left out, as
// they may hold both; so are comments that moved by a line break, and those that are the text of a folded variable.
func otherLines(before, after string) string {
	removed, added := changedLines(splitLines(before), splitLines(after))
	isFolded := slices.ContainsFunc(removed, func(line string) bool { return strings.HasSuffix(line, "- >-") })

	for _, line := range slices.Concat(removed, added) {
		trimmed := strings.TrimSpace(line)

		if strings.HasPrefix(trimmed, "#") && (isFolded || holds(removed, trimmed) && holds(added, trimmed)) {
			continue
		}

		if strings.ContainsAny(trimmed, "{[}]") || trimmed == "" || slices.ContainsFunc(ourWords, func(word string) bool { return strings.Contains(trimmed, word) }) {
			continue
		}

		return fmt.Sprintf("a line changed that is not the patch's: %s\n-%s\n+%s", line, strings.Join(removed, "\n-"), strings.Join(added, "\n+"))
	}

	return ""
}

func holds(lines []string, text string) bool {
	return slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, text) })
}

// ourWords are what lines of a patch hold, and those that it may replace.
var ourWords = []string{
	"TS_", "OWN_VARIABLE", "HTTPS_PROXY", "environment", "configFiles", "mountPath", "content", "validSubnets", "nodeIP", "advertisedSubnets", "0.0.0.0/0", "100.64.0.0/10",
	"::/0", "fd7a:", "10.0.0.0/8", "192.168.", "10.9.", "certSANs", "ts.net", "hostnames", "extraHostEntries", "ip: 100", "aliases", "kubespan", "filters", "endpoints", "sysctls",
	"forwarding", "factory.talos.dev", "ghcr.io/siderolabs/installer", "image:", "apiVersion: v1alpha1", "kind: ", "name: ", "---", "params", "network:", "tailscale", "install:", ">-", "etcd:", "kubelet:", "enabled", "installer", "certExtraSANs", "apiServer:",
}

// splitLines returns the lines without commas: an element in brackets gets one when others follow it.
func splitLines(text string) []string {
	return strings.FieldsFunc(strings.ReplaceAll(text, ",", ""), func(r rune) bool { return strings.ContainsRune("\r\n\u0085\u2028\u2029", r) })
}

// changedLines returns the lines that are in one list alone.
func changedLines(before, after []string) (removed, added []string) {
	for len(before) > 0 && len(after) > 0 && before[0] == after[0] {
		before, after = before[1:], after[1:]
	}

	for len(before) > 0 && len(after) > 0 && before[len(before)-1] == after[len(after)-1] {
		before, after = before[:len(before)-1], after[:len(after)-1]
	}

	counts := map[string]int{}
	for _, line := range before {
		counts[line]++
	}

	for _, line := range after {
		if counts[line] > 0 {
			counts[line]--
		} else {
			added = append(added, line)
		}
	}

	for _, line := range before {
		if counts[line] > 0 {
			counts[line]--

			removed = append(removed, line)
		}
	}

	return removed, added
}
