package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	machinetype "github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talostest"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

// manyLive adds workers to the cluster as live says of each by its name, and returns them with the file that has them.
func (u *upTest) manyLive(t testing.TB, count int, live func(name string) (worker *talostest.Live, disk []byte, joined bool)) ([]*talostest.Live, string) {
	t.Helper()

	var (
		all  = make([]*talostest.Live, count)
		text strings.Builder
	)

	text.WriteString("advertiseTags: [tag:k8s]\nnodeIPSubnets: [10.0.0.0/8]\nnodes:\n")

	for i := range all {
		name, address := fmt.Sprintf("n%d", i), fmt.Sprintf("10.1.%d.%d", i/250, i%250+1)
		fmt.Fprintf(&text, "  %s: {address: %s, role: worker}\n", name, address)

		worker, disk, joined := live(name)
		worker.Address, worker.TailnetAddress, worker.Takes = address, fmt.Sprintf("100.64.%d.%d", i/250, i%250+1), 2*time.Millisecond
		all[i] = u.live(t, worker, disk, joined)
	}

	return all, text.String()
}

func mintedKeys(t testing.TB, server *tailnettest.Server) fleet.Keys {
	t.Helper()

	minter, err := mint.FromEnv(server.LookupEnv(server.AddOAuthClient(tailnettest.OAuthClient{Tags: []string{"tag:k8s"}})))
	require.NoError(t, err)

	return fleet.MintedKeys(minter, func(int) mint.Options { return mint.Options{Tags: []string{"tag:k8s"}} }, nil)
}

// Of 500 nodes, many are under way whenever a run is interrupted: no key is alive that nobody has, none is on a disk, and the
// report says of each node what is true of it. The last run finishes what the others left.
//
//nolint:paralleltest // it would take the time of those that wait for one node
func TestUpInterruptedAtMany(t *testing.T) {
	const (
		count    = 500
		underWay = 30
	)

	server := tailnettest.NewServer(t)
	server.SetLatency(2 * time.Millisecond)

	u := newUpTest(t)
	u.up.Keys, u.up.Parallel, u.up.Wait = mintedKeys(t, server), 50, 5*time.Minute

	all, text := u.manyLive(t, count, func(name string) (*talostest.Live, []byte, bool) {
		return &talostest.Live{Join: func(key string) error {
			_, err := server.Register(key, name)

			return err
		}}, configOf(t, machinetype.TypeWorker), false
	})

	touched := map[string]bool{}

	for _, stage := range []string{"bringing all but the service up to date", "leasing a key", "joining", "waiting for the tailnet", "persisting the config", ""} {
		before := make([]int, count)
		for i, live := range all {
			before[i] = len(live.Applied())
		}

		stopped := errors.New("stopped by a signal")
		ctx, cancel := context.WithCancelCause(t.Context())

		var reached atomic.Int32

		u.up.OnStage = func(_ *fleet.Node, at string) {
			if at == stage && reached.Add(1) == underWay {
				cancel(stopped)
			}
		}

		file, err := fleet.Parse("bridge.yaml", []byte(text))
		require.NoError(t, err)

		options := fleet.PlanOptions{}
		if stage == "" {
			options.Only = slices.Collect(maps.Keys(touched))
		}

		plan, err := file.Plan(options)
		require.NoError(t, err)

		report, err := u.up.Run(ctx, plan)
		if stage != "" {
			require.ErrorIs(t, err, stopped, stage)
		} else {
			require.NoError(t, err)
		}

		cancel(nil)

		assert.Empty(t, server.LiveKeys(), stage)

		for _, node := range report.Nodes {
			i, err := strconv.Atoi(node.Node[1:])
			require.NoError(t, err)

			sent := len(all[i].Applied()) - before[i]

			assert.False(t, all[i].WasOnDisk("tskey"), stage)

			switch node.Outcome {
			case fleet.OutcomeDone, fleet.OutcomeAsWanted:
				assert.True(t, all[i].Joined(), "%s %s", stage, node.Node)
				assert.Equal(t, all[i].Disk(), all[i].Active(), "%s %s", stage, node.Node)
				assert.Contains(t, all[i].Disk(), "TS_HOSTNAME="+node.Node+"\n")
			case fleet.OutcomeFailed:
				assert.Equal(t, fleet.CodeInterrupted, node.Code, "%s %s: %s", stage, node.Node, node.Cause)
				assert.NotZero(t, node.Sent)

				touched[node.Node] = true
			case fleet.OutcomeNotBegun:
				if !touched[node.Node] { // a busy stand-in takes later what an earlier run had sent and no longer waits for
					assert.Zero(t, sent, "%s %s", stage, node.Node)
				}
			case fleet.OutcomePlanned, fleet.OutcomeUnknown:
				t.Errorf("%s %s is %s: %s", stage, node.Node, node.Outcome, node.Cause)
			}
		}

		done, failed, left := report.Count(fleet.OutcomeDone)+report.Count(fleet.OutcomeAsWanted), report.Count(fleet.OutcomeFailed), report.Count(fleet.OutcomeNotBegun)
		t.Logf("%s: %d done, %d interrupted, %d not begun, %d keys made so far", stage, done, failed, left, len(server.Keys()))

		if stage == "" {
			assert.Equal(t, len(touched), done)
		}
	}

	assert.Greater(t, len(touched), underWay)
}
