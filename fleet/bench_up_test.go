package fleet_test

import (
	"context"
	"testing"
	"time"

	machinetype "github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talostest"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// BenchmarkUpPlan plans 1,000 nodes that are as wanted and take 20 ms for each answer, 50 at a time, in turns with asking them
// the same and doing nothing with the answers. The ratio is ours to that; at most 1.2 is the aim. Beside it are the
// milliseconds of a node, and the time as a multiple of what the latency alone takes, which the stand-ins of one process
// are far above.
func BenchmarkUpPlan(b *testing.B) {
	const (
		nodes   = 1000
		atATime = 50
		latency = 20 * time.Millisecond
	)

	u := newUpTest(b)
	u.up.DryRun, u.up.Parallel = true, atATime

	all, text := u.manyLive(b, nodes, func(name string) (*talostest.Live, []byte, bool) {
		settings := patch.Settings{AdvertiseTags: []string{"tag:k8s"}, NodeIPSubnets: []string{"10.0.0.0/8"}, Hostname: &name}

		return &talostest.Live{Latency: latency}, patched(b, configOf(b, machinetype.TypeWorker), settings, ""), true
	})

	require.Eventually(b, all[nodes-1].Joined, time.Minute, time.Millisecond)

	file, err := fleet.Parse("bridge.yaml", []byte(text))
	require.NoError(b, err)

	plan, err := file.Plan(fleet.PlanOptions{NeedsAddress: true})
	require.NoError(b, err)

	var ours, theirs time.Duration

	for b.Loop() {
		start := time.Now()

		u.lookAtAll(b, plan, atATime)

		looked := time.Now()

		report, err := u.up.Run(b.Context(), plan)
		require.NoError(b, err)
		require.Equal(b, nodes, report.Count(fleet.OutcomeAsWanted), report.Nodes[0].Cause)

		theirs += looked.Sub(start)
		ours += time.Since(looked)
	}

	ideal := time.Duration(b.N) * latency * nodes / atATime

	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
	b.ReportMetric(ours.Seconds()/ideal.Seconds(), "latencies")
	b.ReportMetric(float64(ours.Milliseconds())/float64(b.N)/nodes, "ms/node")
}

// lookAtAll asks all nodes what a plan asks them.
func (u *upTest) lookAtAll(b *testing.B, plan *fleet.Plan, atATime int) {
	b.Helper()

	api, err := talosapi.Connect(b.Context(), talosapi.Connection(u.up.Connection))
	require.NoError(b, err)

	defer func() { assert.NoError(b, api.Close()) }()

	var group errgroup.Group

	group.SetLimit(atATime)

	for i := range plan.Len() {
		group.Go(func() error {
			_, err := api.Node(plan.Node(i).Address).Look(context.Background())

			return err
		})
	}

	require.NoError(b, group.Wait())
}
