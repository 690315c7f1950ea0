package fleet_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
)

const manyPatches = 10_000

// discard is a sink that makes the bytes of each patch and forgets them.
type discard struct{}

func (discard) Deliver(_ context.Context, delivery *fleet.Delivery) error {
	_, err := delivery.Patch.Bytes()

	return err
}

// BenchmarkRun compares planning and running many nodes into a sink that discards with encoding as many pairs of finished
// documents with Talos's encoder, on as many cores, in turns of one run. The ratio is ours to theirs; at most 1.25 is the
// aim. Reading the file is reported beside it, as a share of theirs.
func BenchmarkRun(b *testing.B) {
	b.Run("nodes of few kinds", func(b *testing.B) { benchmarkRun(b, manyNodes(manyPatches)) })
	b.Run("nodes with routes of their own", func(b *testing.B) {
		own := regexp.MustCompile(`address: 10\.([0-9.]+)`)
		benchmarkRun(b, own.ReplaceAll(manyNodes(manyPatches), []byte("$0, advertiseRoutes: [192.$1/32]")))
	})
}

func benchmarkRun(b *testing.B, text []byte) {
	b.Helper()

	file, err := fleet.Parse("bridge.yaml", text)
	require.NoError(b, err)

	plan, err := file.Plan(fleet.PlanOptions{Only: []string{"node-0"}})
	require.NoError(b, err)

	made, err := plan.Patch(0, placeholder(b))
	require.NoError(b, err)

	documents, err := made.Documents()
	require.NoError(b, err)

	var read, ours, theirs time.Duration

	for b.Loop() {
		start := time.Now()
		encodeMany(b, documents)
		encoded := time.Now()

		file, err := fleet.Parse("bridge.yaml", text)
		require.NoError(b, err)

		parsed := time.Now()

		plan, err := file.Plan(fleet.PlanOptions{})
		require.NoError(b, err)

		_, err = fleet.Run(b.Context(), plan, discard{}, fleet.RunOptions{Keys: fleet.GivenKey(placeholder(b), true)})
		require.NoError(b, err)

		theirs += encoded.Sub(start)
		read += parsed.Sub(encoded)
		ours += time.Since(parsed)
	}

	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
	b.ReportMetric(read.Seconds()/theirs.Seconds(), "reading")
}

// encodeMany encodes documents as often as there are nodes, on all cores.
func encodeMany(b *testing.B, documents []config.Document) {
	b.Helper()

	var (
		group errgroup.Group
		next  atomic.Int64
	)

	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			for next.Add(1) <= manyPatches {
				for _, document := range documents {
					if _, err := encoder.NewEncoder(document, encoder.WithComments(encoder.CommentsDisabled)).Encode(); err != nil {
						return err
					}
				}
			}

			return nil
		})
	}

	require.NoError(b, group.Wait())
}

// BenchmarkFiles compares writing the patches of many nodes to files with writing the same bytes the same way, a tenth of them at
// a time and in turns, because what a file system takes for a file varies by the second. The ratio is that of the medians; at most
// 1.3 is the aim.
func BenchmarkFiles(b *testing.B) {
	const turns = 10

	plan := planOf(b, manyPatches/turns)

	var ours, theirs []time.Duration

	for b.Loop() {
		for turn := range turns {
			if turn%2 == 0 {
				theirs = append(theirs, writeMany(b, plan))
			}

			files := &fleet.Files{Dir: filepath.Join(b.TempDir(), "ours")}
			require.NoError(b, files.Prepare())

			start := time.Now()

			_, err := fleet.Run(b.Context(), plan, files, fleet.RunOptions{Keys: fleet.GivenKey(placeholder(b), true)})
			require.NoError(b, err)

			ours = append(ours, time.Since(start))

			if turn%2 == 1 {
				theirs = append(theirs, writeMany(b, plan))
			}
		}
	}

	slices.Sort(ours)
	slices.Sort(theirs)

	middle := len(ours) / 2
	b.ReportMetric(ours[middle].Seconds()/theirs[middle].Seconds(), "ratio")
}

// writeMany writes as many files by a temporary file and a rename each, and returns how long that took.
func writeMany(b *testing.B, plan *fleet.Plan) time.Duration {
	b.Helper()

	made, err := plan.Patch(0, placeholder(b))
	require.NoError(b, err)

	text, err := made.Bytes()
	require.NoError(b, err)

	var (
		group errgroup.Group
		next  atomic.Int64
		dir   = b.TempDir()
		start = time.Now()
	)

	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			for {
				i := next.Add(1) - 1
				if i >= int64(plan.Len()) {
					return nil
				}

				if err := writeOne(dir, plan.Node(int(i)).Name, text); err != nil {
					return err
				}
			}
		})
	}

	require.NoError(b, group.Wait())

	return time.Since(start)
}

func writeOne(dir, name string, text []byte) error {
	file, err := os.CreateTemp(dir, "."+name+".*")
	if err != nil {
		return err
	}

	if _, err := file.Write(text); err != nil {
		return err
	}

	if err := file.Close(); err != nil {
		return err
	}

	return os.Rename(file.Name(), filepath.Join(dir, name+".yaml"))
}

// What is in memory for many nodes is little more than for a few.
func TestMemory(t *testing.T) {
	few, many := heapAfter(t, 10), heapAfter(t, manyPatches)

	const most = 32 << 20

	t.Logf("%d KiB for ten nodes, %d KiB for %d", few>>10, many>>10, manyPatches)
	assert.Less(t, many, few+most)
}

// heapAfter returns the most memory that is in use, at the nodes of a run, once garbage is gone.
func heapAfter(t *testing.T, nodes int) uint64 {
	t.Helper()

	plan := planOf(t, nodes)

	var most uint64

	_, err := fleet.Run(t.Context(), plan, discard{}, fleet.RunOptions{
		Keys: fleet.GivenKey(placeholder(t), true), Parallel: 1,
		OnNode: func(node *fleet.Node, _ error) {
			if node != plan.Node(nodes/2) {
				return
			}

			runtime.GC()

			var stats runtime.MemStats

			runtime.ReadMemStats(&stats)
			most = max(most, stats.HeapAlloc)
		},
	})
	require.NoError(t, err)

	return most
}
