package fleet_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	machinetype "github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talostest"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

func TestUpRefuses(t *testing.T) {
	t.Parallel()

	worker := func(t *testing.T) []byte { t.Helper(); return configOf(t, machinetype.TypeWorker) } //nolint:nlreturn // one line

	for name, test := range map[string]struct {
		live   *talostest.Live
		config func(*testing.T) []byte
		joined bool
		file   string
		code   fleet.Code
		cause  string
		next   string
	}{
		"no extension": {live: &talostest.Live{NoExtension: true}, file: upFile, code: fleet.CodeExtensionMissing, next: "talosctl upgrade --image factory.talos.dev/installer/4a0d"},
		"the node IP moves": {
			live: &talostest.Live{}, file: "nodeIPSubnets: [100.64.0.0/10, 192.168.1.0/24]\nnodes:\n", joined: true, code: fleet.CodeNodeIPMoves, next: "--move-node-ip",
			config: func(t *testing.T) []byte {
				t.Helper()

				return patched(t, configOf(t, machinetype.TypeWorker), patch.Settings{}, "")
			},
		},
		"services in the tailnet's range": {
			live: &talostest.Live{}, file: upFile, code: fleet.CodeOverlap, next: "10.244.0.0/16",
			config: func(t *testing.T) []byte {
				t.Helper()

				return []byte(strings.ReplaceAll(string(configOf(t, machinetype.TypeWorker)), "10.96.0.0/12", "100.96.0.0/12"))
			},
		},
		"no node IP":     {live: &talostest.Live{}, file: "nodeIPSubnets: [10.0.0.0/8]\nnodes:\n", code: fleet.CodeNodeIPNone, next: "nodeIPSubnets"},
		"the other role": {live: &talostest.Live{}, file: "role: controlplane\nnodes:\n", code: fleet.CodeConfig},
		"a config it does not take": {
			live: &talostest.Live{OnApply: func(machine.ApplyConfigurationRequest_Mode) error {
				return status.Error(codes.InvalidArgument, "2 errors occurred:\n\t* the first\n\t* the second\n\n")
			}},
			file: upFile, code: fleet.CodeNotTaken, cause: "the first; the second",
		},
		"a virtual address": {live: &talostest.Live{Virtual: "192.168.1.10"}, file: upFile, code: fleet.CodeAddress, next: "the node's own"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			config := worker
			if test.config != nil {
				config = test.config
			}

			u := newUpTest(t)
			test.live.Address = "192.168.1.10"
			live := u.live(t, test.live, config(t), test.joined)

			if test.joined {
				require.Eventually(t, func() bool { return live.Joined() }, time.Minute, time.Millisecond)
			}

			before := live.Disk()
			report := u.run(t, test.file+"  a: {address: 192.168.1.10}\n")
			node := report.Nodes[0]
			assert.Equal(t, fleet.OutcomeFailed, node.Outcome)
			assert.Equal(t, test.code, node.Code, node.Cause)
			assert.Contains(t, node.Cause, test.cause)
			assert.Contains(t, strings.Join(node.Next, "\n"), test.next)
			assert.Equal(t, before, live.Disk())
			assert.Empty(t, live.Applied())
			assert.Zero(t, u.keys.made)
		})
	}
}

func TestUpDryRun(t *testing.T) {
	t.Parallel()

	u := newUpTest(t)
	u.up.DryRun = true
	live := u.live(t, &talostest.Live{Address: "192.168.1.10"}, configOf(t, machinetype.TypeWorker), false)

	report := u.run(t, upFile+"  a: {address: 192.168.1.10}\n  b: {address: 192.168.1.11}\n")
	assert.Equal(t, fleet.OutcomePlanned, report.Nodes[0].Outcome)
	assert.Equal(t, fleet.ActionJoin, report.Nodes[0].Action)
	assert.Equal(t, fleet.OutcomeUnknown, report.Nodes[1].Outcome)
	assert.Equal(t, fleet.CodeUnreachable, report.Nodes[1].Code)
	assert.NotEmpty(t, report.Nodes[1].Next)
	assert.Empty(t, live.Applied())
	assert.Zero(t, u.keys.made)

	diff := report.Nodes[0].Diff()
	assert.Contains(t, diff, "+kind: ExtensionServiceConfig")
	assert.Contains(t, diff, "+    - TS_HOSTNAME=a")
}

// What changes is shown without the secrets of the cluster and of the service.
func TestUpDiffHasNoSecrets(t *testing.T) {
	t.Parallel()

	u := newUpTest(t)
	u.up.DryRun = true
	config := patched(t, configOf(t, machinetype.TypeWorker), patch.Settings{}, "left-over")
	config = append(config, "    - OWN_TOKEN=own-secret\n---\nkind: KmsgLogConfig\nurl: tcp://user:password-of-another@192.0.2.1:1234/\nname: logs\napiVersion: v1alpha1\n"...)
	u.live(t, &talostest.Live{Address: "192.168.1.10"}, config, true)

	diff := u.run(t, upFile+"  a: {address: 192.168.1.10}\n").Nodes[0].Diff()
	assert.Contains(t, diff, "TS_AUTHKEY=[redacted]")
	assert.NotContains(t, diff, "left-over")
	assert.NotContains(t, diff, "own-secret", "of a variable that is not known")
	assert.NotContains(t, diff, "password-of-another", "of a document that is not ours")
	assert.Contains(t, diff, "url: ...", "which stands beside the change")

	parsed, err := patch.ParseConfig(config)
	require.NoError(t, err)
	assert.NotContains(t, diff, parsed.Provider().Machine().Security().Token())
}

// What would be done is told before anything is sent, and a node that is as wanted is not looked at again.
func TestUpBeforeAny(t *testing.T) {
	t.Parallel()

	u := newUpTest(t)
	joins := u.live(t, &talostest.Live{Address: "192.168.1.10", TailnetAddress: "100.64.0.10"}, configOf(t, machinetype.TypeWorker), false)
	u.live(t, &talostest.Live{Address: "192.168.1.11", TailnetAddress: "100.64.0.11"}, configOf(t, machinetype.TypeWorker), false)

	u.run(t, upFile+"  b: {address: 192.168.1.11}\n")

	text := upFile + "  a: {address: 192.168.1.10}\n  b: {address: 192.168.1.11}\n"
	refused := errors.New("not these")

	u.up.BeforeAny = func(planned *fleet.Report) error {
		assert.Equal(t, []fleet.Action{fleet.ActionJoin, fleet.ActionNone}, []fleet.Action{planned.Nodes[0].Action, planned.Nodes[1].Action})

		return refused
	}

	_, err := u.runIn(t.Context(), t, text)
	require.ErrorIs(t, err, refused)
	assert.Empty(t, joins.Applied())

	var told []string

	u.up.OnNode = func(node fleet.NodeReport) { told = append(told, node.Node) }
	u.up.BeforeAny = func(*fleet.Report) error {
		u.cluster.SetDown("192.168.1.11", true)

		return nil
	}

	report := u.run(t, text)
	assert.Equal(t, []fleet.Outcome{fleet.OutcomeDone, fleet.OutcomeAsWanted}, []fleet.Outcome{report.Nodes[0].Outcome, report.Nodes[1].Outcome})
	assert.ElementsMatch(t, []string{"a", "b"}, told)
}
