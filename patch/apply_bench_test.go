//go:build unix

package patch_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/configpatcher"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// BenchmarkApply compares reading a machine config, applying a patch and proving the result with what talosctl
// machineconfig patch does, in turns of one run: ours to theirs, in time and in time of all processors. The aims, on two
// processors, are 1.2 and 1.8.
func BenchmarkApply(b *testing.B) {
	manifest := func(indent string) string {
		return strings.Repeat(indent+"# "+strings.Repeat("x", 98)+"\n", 7<<20/100)
	}

	for _, contract := range []*coreconfig.VersionContract{coreconfig.TalosVersion1_13, coreconfig.TalosVersion1_14} {
		small := string(generateText(b, contract, machine.TypeControlPlane, encoder.CommentsDisabled))
		large := small + "---\napiVersion: v1alpha1\nkind: KubeInlineManifestConfig\nname: big\nmanifest: |\n" + manifest("    ")

		if contract == coreconfig.TalosVersion1_13 {
			large = strings.Replace(small, "\ncluster:\n", "\ncluster:\n    inlineManifests:\n        - name: big\n          contents: |\n"+manifest("            "), 1)
		}

		for _, text := range []string{small, large} {
			b.Run(fmt.Sprintf("%s/%dkB", contract, len(text)>>10), func(b *testing.B) { benchmarkApply(b, []byte(text)) })
		}
	}
}

func benchmarkApply(b *testing.B, text []byte) {
	config, err := patch.ParseConfig(text)
	require.NoError(b, err)

	options := []patch.Option{patch.WithAuthKey(parseKey(b, exampleKey)), patch.WithAdvertiseTags("tag:k8s")}

	made, err := patch.New(append(options, patch.WithBase(config))...)
	require.NoError(b, err)

	stream, err := made.Bytes()
	require.NoError(b, err)

	var ours, theirs, oursCPU, theirsCPU time.Duration

	for b.Loop() {
		start, startCPU := time.Now(), processors(b)

		if err := patchAsTalosctl(text, stream); err != nil {
			b.Fatal(err)
		}

		middle, middleCPU := time.Now(), processors(b)

		config, err := patch.ParseConfig(text)
		if err != nil {
			b.Fatal(err)
		}

		if _, err := made.Apply(config); err != nil {
			b.Fatal(err)
		}

		theirs += middle.Sub(start)
		ours += time.Since(middle)
		theirsCPU += middleCPU - startCPU
		oursCPU += processors(b) - middleCPU
	}

	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
	b.ReportMetric(oursCPU.Seconds()/theirsCPU.Seconds(), "cpu-ratio")
}

// patchAsTalosctl does what talosctl machineconfig patch does.
func patchAsTalosctl(text, stream []byte) error {
	provider, err := configloader.NewFromBytes(text)
	if err != nil {
		return err
	}

	loaded, err := configpatcher.LoadPatch(stream)
	if err != nil {
		return err
	}

	output, err := configpatcher.Apply(configpatcher.WithConfig(provider), []configpatcher.Patch{loaded})
	if err != nil {
		return err
	}

	patched, err := output.Config()
	if err != nil {
		return err
	}

	_, err = patched.EncodeBytes(encoder.WithComments(encoder.CommentsDisabled))

	return err
}

// processors returns the time that all processors have spent on this process.
func processors(b *testing.B) time.Duration {
	b.Helper()

	var usage syscall.Rusage

	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))

	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
