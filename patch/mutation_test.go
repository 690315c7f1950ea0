package patch_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/validation"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"github.com/stretchr/testify/require"

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
