package patch_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/validation"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"github.com/stretchr/testify/require"
	reader "go.yaml.in/yaml/v3"

	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig/mutation"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

var (
	mutations    = flag.Int("mutations", 300, "how many mutated machine configs to apply a patch to")
	mutationSeed = flag.Uint64("mutation-seed", 1, "seed of the mutated machine configs")
)

// kubernetesMinors are those that the release of a contract supports, as the newest.
var kubernetesMinors = map[string]int{"v1.7": 30, "v1.8": 31, "v1.9": 32, "v1.10": 33, "v1.11": 34, "v1.12": 35, "v1.13": 36, "v1.14": 37}

// newestKubernetes is the version of generated configs.
var newestKubernetes = regexp.MustCompile(`:v?` + regexp.QuoteMeta(constants.DefaultKubernetesVersion))

// supported is how many minors of Kubernetes a release supports.
const supported = 6

// Machine configs as people write them: applying a patch once is applying it twice, another reader finds nothing changed
// but what is the patch's, no line but those of it changes, and Talos takes what it took before.
func TestApplyMutations(t *testing.T) {
	t.Parallel()

	bases := generatedBases(t)
	outcomes := map[string]int{}

	for i := range *mutations {
		rng := rand.New(rand.NewPCG(*mutationSeed, uint64(i)))
		text, names := mutation.Mutate(rng, bases[rng.IntN(len(bases))])

		outcome, fault := applyToMutation(t, rng, text)
		if fault != "" {
			t.Fatalf("seed %d, mutation %d (%s): %s\n%s", *mutationSeed, i, strings.Join(names, ", "), fault, text)
		}

		outcomes[outcome]++
	}

	t.Log(*mutations, "configs:", outcomes)
	require.Greater(t, outcomes["applied"], *mutations/2)
}

// generatedBases returns generated configs of all contracts, both roles and each supported minor of Kubernetes.
func generatedBases(t *testing.T) []string {
	t.Helper()

	var bases []string

	for _, contract := range contracts {
		for _, role := range roles {
			for _, comments := range []encoder.CommentsFlags{encoder.CommentsDisabled, encoder.CommentsAll} {
				text := string(generateText(t, contract, role, comments))

				for minor := range supported {
					release := fmt.Sprintf(":v1.%d.0", kubernetesMinors[contract.String()]-minor)
					bases = append(bases, newestKubernetes.ReplaceAllString(text, release))
				}
			}
		}
	}

	return bases
}

// applyToMutation returns what became of a config, and what is wrong with that.
func applyToMutation(t *testing.T, rng *rand.Rand, text string) (outcome, fault string) {
	t.Helper()

	defer func() {
		if p := recover(); p != nil {
			fault = fmt.Sprint("panic: ", p)
		}
	}()

	loaded, loadErr := configloader.NewFromBytes([]byte(text))

	config, err := patch.ParseConfig([]byte(text))
	if err != nil {
		if loadErr == nil && !isForeign(err) {
			return "", "refused, and Talos takes it: " + err.Error()
		}

		return "refused", leaks(err, text)
	}

	options := []patch.Option{patch.WithAuthKey(parseKey(t, exampleKey)), patch.WithAdvertiseTags("tag:k8s"), patch.WithBase(config)}
	options = append(options, someOptions(rng)...)

	made, err := patch.New(options...)
	if err != nil {
		return "no patch", leaks(err, text)
	}

	result, err := made.Apply(config)
	if err != nil {
		if failed, ok := errors.AsType[*patch.ConfigError](err); ok && (failed.Code == patch.ConfigUnproven || failed.Code == patch.ConfigInvalid) {
			return "", err.Error()
		}

		return "not applied", leaks(err, text)
	}

	once := result.Bytes()

	again, err := patch.ParseConfig(once)
	if err != nil {
		return "", "the result is refused: " + err.Error()
	}

	twice, err := made.Apply(again)
	if err != nil || twice.Changed() || !bytes.Equal(twice.Bytes(), once) {
		return "", fmt.Sprintf("applied twice is another config: %v\n%s", err, once)
	}

	if fault := sameBesides(text, string(once)); fault != "" {
		return "", fault + "\n" + string(once)
	}

	if loadErr != nil {
		return "applied", ""
	}

	if _, err := loaded.ValidateAsClient(metal{}, validation.WithLocal()); err != nil {
		return "applied to what Talos refuses", ""
	}

	if fault := otherLines(text, string(once)); fault != "" {
		return "", fault + "\n" + string(once)
	}

	return "applied", stillValid(once)
}

func isForeign(err error) bool {
	failed, ok := errors.AsType[*patch.ConfigError](err)

	return ok && (failed.Code == patch.ConfigForeign || failed.Code == patch.ConfigRole)
}

func someOptions(rng *rand.Rand) []patch.Option {
	all := []patch.Option{
		patch.WithStaticHost("db.tail1234.ts.net", "100.101.102.103"), patch.WithCertSANs("lab-1.tail1234.ts.net"), patch.WithKubeSpanFilter(true), patch.WithHostname("lab-1"),
		patch.WithAdvertiseRoutes("192.168.7.0/24"), patch.WithAdvertiseRoutes("fd00:1::/64"), patch.WithAuthKeyMount("/etc/tailscale/key"),
		patch.WithInstallImage("factory.talos.dev/metal-installer/4a0d65c669d46663f377e7161e50cfd570c401f26fd9e7bda34a0216b6f1922b:v1.13.5"),
	}

	var some []patch.Option

	for _, option := range all {
		if rng.IntN(3) == 0 {
			some = append(some, option)
		}
	}

	return some
}

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
