package patch_test

import (
	"slices"
	"testing"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// BenchmarkBytes compares encoding a patch with encoding its finished documents directly with Talos's encoder, in turns of
// one run. The first ratio is that of Bytes, at most 1.15 is the aim; the second has making and checking the patch in it.
func BenchmarkBytes(b *testing.B) {
	key := patch.WithAuthKey(parseKey(b, exampleKey))
	options := []patch.Option{key, patch.WithAdvertiseTags("tag:k8s"), patch.WithHostname("lab-worker-1"), patch.WithNodeIPSubnets("192.168.1.0/24")}

	made, err := patch.New(options...)
	require.NoError(b, err)

	documents, err := made.Documents()
	require.NoError(b, err)

	var theirs, making, ours []time.Duration

	for b.Loop() {
		start := time.Now()

		for _, document := range documents {
			if _, err := encoder.NewEncoder(document, encoder.WithComments(encoder.CommentsDisabled)).Encode(); err != nil {
				b.Fatal(err)
			}
		}

		encoded := time.Now()

		made, err := patch.New(options...)
		if err != nil {
			b.Fatal(err)
		}

		checked := time.Now()

		if _, err := made.Bytes(); err != nil {
			b.Fatal(err)
		}

		theirs, making, ours = append(theirs, encoded.Sub(start)), append(making, checked.Sub(encoded)), append(ours, time.Since(checked))
	}

	bare := median(theirs)
	b.ReportMetric(median(ours)/bare, "ratio")
	b.ReportMetric((median(making)+median(ours))/bare, "ratio-with-New")
}

// median is the middle of the times in seconds, because other programs run too.
func median(times []time.Duration) float64 {
	slices.Sort(times)

	return times[len(times)/2].Seconds()
}
