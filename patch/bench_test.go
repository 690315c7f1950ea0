package patch_test

import (
	"slices"
	"testing"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// BenchmarkBytes compares making, checking and encoding a patch with encoding its finished documents directly with
// Talos's encoder, in turns of one run. The ratio is ours to theirs; at most 1.15 is the aim.
func BenchmarkBytes(b *testing.B) {
	key := patch.WithAuthKey(parseKey(b, exampleKey))
	options := []patch.Option{key, patch.WithAdvertiseTags("tag:k8s"), patch.WithHostname("lab-worker-1"), patch.WithNodeIPSubnets("192.168.1.0/24")}

	made, err := patch.New(options...)
	require.NoError(b, err)

	documents, err := made.Documents()
	require.NoError(b, err)

	var ours, theirs []time.Duration

	for b.Loop() {
		start := time.Now()

		for _, document := range documents {
			if _, err := encoder.NewEncoder(document, encoder.WithComments(encoder.CommentsDisabled)).Encode(); err != nil {
				b.Fatal(err)
			}
		}

		middle := time.Now()

		made, err := patch.New(options...)
		if err != nil {
			b.Fatal(err)
		}

		if _, err := made.Bytes(); err != nil {
			b.Fatal(err)
		}

		theirs = append(theirs, middle.Sub(start))
		ours = append(ours, time.Since(middle))
	}

	// the median, because other programs run too
	slices.Sort(ours)
	slices.Sort(theirs)
	b.ReportMetric(ours[len(ours)/2].Seconds()/theirs[len(theirs)/2].Seconds(), "ratio")
}
