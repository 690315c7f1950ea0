package fleet_test

import (
	"context"
	"errors"
	"testing"
	"time"

	machinetype "github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talostest"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// A key that the control server refuses: the cause is told, the key is taken back, and the node is what it was.
func TestUpWrongKey(t *testing.T) {
	t.Parallel()

	u := newUpTest(t)
	live := u.live(t, &talostest.Live{Address: "192.168.1.10", Join: func(string) error { return errors.New("invalid pre auth key") }},
		configOf(t, machinetype.TypeWorker), false)
	other := u.live(t, &talostest.Live{Address: "192.168.1.11"}, configOf(t, machinetype.TypeWorker), false)

	u.up.Parallel = 1
	report := u.run(t, upFile+"  a: {address: 192.168.1.10}\n  b: {address: 192.168.1.11}\n")
	node := report.Nodes[0]
	assert.Equal(t, fleet.OutcomeFailed, node.Outcome)
	assert.Equal(t, fleet.CodeNotJoined, node.Code)
	assert.Contains(t, node.Cause, "invalid pre auth key")
	assert.Equal(t, []int{0}, u.keys.released)
	assert.NotContains(t, live.Disk(), "ExtensionServiceConfig")

	assert.Equal(t, fleet.OutcomeNotBegun, report.Nodes[1].Outcome, "the rollout stops")
	assert.Empty(t, other.Applied())

	u.up.ContinueOnError = true
	report = u.run(t, upFile+"  a: {address: 192.168.1.10}\n  b: {address: 192.168.1.11}\n")
	assert.Equal(t, fleet.OutcomeDone, report.Nodes[1].Outcome)
}

// Whatever a run is interrupted at, no key is alive that nobody has, no config is half written, and the next run brings the
// node to its end.
func TestUpInterrupted(t *testing.T) {
	t.Parallel()

	for _, stage := range []string{"looking", "bringing all but the service up to date", "leasing a key", "joining", "waiting for the tailnet", "persisting the config"} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()

			u := newUpTest(t)
			u.up.Parallel = 1
			live := u.live(t, &talostest.Live{Address: "192.168.1.10", Takes: 10 * time.Millisecond}, configOf(t, machinetype.TypeWorker), false)

			stopped := errors.New("stopped by a signal")
			ctx, cancel := context.WithCancelCause(t.Context())
			u.up.OnStage = func(_ *fleet.Node, at string) {
				if at == stage {
					cancel(stopped)
				}
			}

			text := upFile + "  a: {address: 192.168.1.10}\n  b: {address: 192.168.1.12}\n"

			report, err := u.runIn(ctx, t, text)
			require.ErrorIs(t, err, stopped)
			assert.Equal(t, u.keys.made, len(u.keys.kept)+len(u.keys.released))
			assert.False(t, live.WasOnDisk("key-of"))
			assert.Equal(t, fleet.OutcomeNotBegun, report.Nodes[1].Outcome)

			if stage == "persisting the config" {
				assert.Equal(t, fleet.OutcomeDone, report.Nodes[0].Outcome, "what has joined is brought to its end")
			}

			u.up.OnStage = nil

			again := u.run(t, upFile+"  a: {address: 192.168.1.10}\n")
			assert.Contains(t, []fleet.Outcome{fleet.OutcomeDone, fleet.OutcomeAsWanted}, again.Nodes[0].Outcome, again.Nodes[0].Cause)
			assert.False(t, live.WasOnDisk("key-of"))
			assert.NotContains(t, live.Active(), "TS_AUTHKEY")
		})
	}
}

// A run that was killed leaves a node with a config that is tried: the next one persists it where the node has joined, and
// ends it first where it has not.
func TestUpAfterKill(t *testing.T) {
	t.Parallel()

	for name, joins := range map[string]bool{"joined": true, "not joined": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			u := newUpTest(t)
			good := joins
			live := u.live(t, &talostest.Live{Address: "192.168.1.10", Join: func(key string) error {
				if key == "first" && !good {
					return errors.New("invalid pre auth key")
				}

				return nil
			}}, configOf(t, machinetype.TypeWorker), false)

			trial := patched(t, configOf(t, machinetype.TypeWorker),
				patch.Settings{AdvertiseTags: []string{"tag:k8s"}, NodeIPSubnets: []string{"192.168.1.0/24"}, Hostname: new("a")}, "first")
			require.NoError(t, live.Try(trial, time.Minute))
			require.Eventually(t, func() bool { return live.Joined() || !good }, time.Minute, time.Millisecond)

			report := u.run(t, upFile+"  a: {address: 192.168.1.10}\n")
			assert.Equal(t, fleet.OutcomeDone, report.Nodes[0].Outcome, report.Nodes[0].Cause)
			assert.False(t, live.WasOnDisk("first"))
			assert.Equal(t, live.Disk(), live.Active())

			if joins {
				assert.Equal(t, fleet.ActionConfigure, report.Nodes[0].Action)
				assert.Zero(t, u.keys.made)
			} else {
				assert.Equal(t, []string{"TRY", "NO_REBOOT", "TRY", "NO_REBOOT"}, modes(live), "the earlier try ends first")
			}
		})
	}
}

// A node that is switched off in the middle: the key is taken back, and with the restart the try is gone.
func TestUpNodeGoesDown(t *testing.T) {
	t.Parallel()

	u := newUpTest(t)
	u.up.Wait = 300 * time.Millisecond
	live := u.live(t, &talostest.Live{Address: "192.168.1.10", Takes: time.Minute}, configOf(t, machinetype.TypeWorker), false)

	u.up.OnStage = func(_ *fleet.Node, stage string) {
		if stage == "waiting for the tailnet" {
			u.cluster.SetDown("192.168.1.10", true)
		}
	}

	report := u.run(t, upFile+"  a: {address: 192.168.1.10}\n")
	assert.Equal(t, fleet.OutcomeFailed, report.Nodes[0].Outcome)
	assert.Len(t, u.keys.released, 1)

	require.NoError(t, live.Restart())
	assert.NotContains(t, live.Active(), "TS_AUTHKEY")
}

// A node that starts again in the middle has lost what it was given for a try: that is told at once, and the next run brings it to its end.
func TestUpNodeRestarts(t *testing.T) {
	t.Parallel()

	settings := patch.Settings{NodeIPSubnets: []string{"192.168.1.0/24"}, Hostname: new("a")}

	for name, joined := range map[string]bool{"joins": false, "logs in again": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			u := newUpTest(t)
			u.up.Wait = time.Hour

			config := configOf(t, machinetype.TypeWorker)
			if joined {
				config = patched(t, config, settings, "")
			}

			live := u.live(t, &talostest.Live{Address: "192.168.1.10", Takes: 100 * time.Millisecond}, config, joined)

			u.up.OnStage = func(_ *fleet.Node, stage string) {
				if stage == "waiting for the tailnet" {
					assert.NoError(t, live.Restart())
				}
			}

			report := u.run(t, upFile+"  a: {address: 192.168.1.10}\n")
			assert.Equal(t, fleet.CodeNotJoined, report.Nodes[0].Code)
			assert.Contains(t, report.Nodes[0].Cause, "has started again")
			assert.Len(t, u.keys.released, u.keys.made)

			u.up.OnStage = nil
			report = u.run(t, upFile+"  a: {address: 192.168.1.10}\n")
			assert.Equal(t, fleet.OutcomeDone, report.Nodes[0].Outcome, report.Nodes[0].Cause)
			assert.Contains(t, live.Arguments(), "--advertise-tags=tag:k8s")
		})
	}
}
