package nodes_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talostest"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

// BenchmarkInspect asks 500 nodes, one of which takes a second to answer and the others 10 ms. The ratio is the time of
// all to that of the slowest; at most 1.2 is the aim. The memory is what the answers hold once all are there.
func BenchmarkInspect(b *testing.B) {
	const (
		count   = 500
		slowest = time.Second
	)

	cluster := start(b)
	addresses := make([]string, 0, count)

	for i := range count {
		address := fmt.Sprintf("10.5.%d.%d", i/250, i%250)
		addresses = append(addresses, address)

		node, err := cluster.AddHealthy(address)
		require.NoError(b, err)

		node.Latency = 10 * time.Millisecond
		if i == count/10 {
			node.Latency = slowest
		}
	}

	talos := connect(b, cluster, talostest.RoleAdmin, addresses...)
	inspector := &nodes.Inspector{Client: talos.Client}

	var (
		before, after runtime.MemStats
		seen          []nodes.Node
	)

	runtime.GC()
	runtime.ReadMemStats(&before)

	for b.Loop() {
		seen = inspector.Inspect(b.Context(), addresses)
		require.Empty(b, nodes.Diagnose(seen, nil))
	}

	runtime.GC()
	runtime.ReadMemStats(&after)

	slow := time.Duration(seen[count/10].Took)
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/slow.Seconds(), "ratio")
	b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/count/1024, "KiB/node")
	runtime.KeepAlive(seen)
}
