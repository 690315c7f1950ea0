package fleet_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	machinetype "github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talostest"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// A node that waits for its first config is installed without the service, and joins then.
func TestUpInstalls(t *testing.T) {
	t.Parallel()

	const address = "127.0.57.1"

	u := newUpTest(t)
	live := &talostest.Live{Address: address}
	require.NoError(t, u.cluster.AddMaintenance(live, 30*time.Millisecond))
	require.NoError(t, os.WriteFile(filepath.Join(u.dir, "worker.yaml"),
		patched(t, configOf(t, machinetype.TypeWorker), patch.Settings{}, "key-of-gen-config"), 0o600))

	text := upFile + "  a: {address: " + address + ", config: worker.yaml}\n"

	u.up.DryRun = true
	report := u.run(t, text)
	assert.Equal(t, fleet.OutcomePlanned, report.Nodes[0].Outcome, report.Nodes[0].Cause)
	assert.Equal(t, fleet.ActionInstall, report.Nodes[0].Action)

	u.up.DryRun = false
	report = u.run(t, text)
	assert.Equal(t, fleet.OutcomeDone, report.Nodes[0].Outcome, report.Nodes[0].Cause)
	assert.Equal(t, fleet.ActionInstall, report.Nodes[0].Action)
	assert.Equal(t, []string{"TRY", "NO_REBOOT"}, modes(live), "it was installed with all but the service")
	assert.False(t, live.WasOnDisk("key-of"))
	assert.Contains(t, live.Disk(), "TS_HOSTNAME=a")
	assert.Len(t, u.keys.kept, 1)

	assert.Equal(t, 1, u.run(t, text).Count(fleet.OutcomeAsWanted))
}

func TestUpMaintenanceRefuses(t *testing.T) {
	t.Parallel()

	for i, test := range []struct {
		name, node string
		live       *talostest.Live
		config     string
		code       fleet.Code
	}{
		{name: "no config", live: &talostest.Live{}, code: fleet.CodeNoConfig},
		{name: "a bare image", node: ", config: worker.yaml", live: &talostest.Live{}, config: "ghcr.io/siderolabs/installer:v1.14.1", code: fleet.CodeImageLosesExtension},
		{name: "no extension", node: ", config: worker.yaml", live: &talostest.Live{NoExtension: true}, config: "ghcr.io/siderolabs/installer:v1.14.1", code: fleet.CodeExtensionMissing},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()

			u := newUpTest(t)
			test.live.Address = fmt.Sprintf("127.0.58.%d", i+1)
			require.NoError(t, u.cluster.AddMaintenance(test.live, time.Millisecond))

			config := strings.ReplaceAll(string(configOf(t, machinetype.TypeWorker)),
				"factory.talos.dev/installer/4a0d65c669d46663f377e7161e50cfd570c401f26fd9e7bda34a0216b6f1922b:v1.14.1", test.config)
			require.NoError(t, os.WriteFile(filepath.Join(u.dir, "worker.yaml"), []byte(config), 0o600))

			report := u.run(t, upFile+"  a: {address: "+test.live.Address+test.node+"}\n")
			assert.Equal(t, test.code, report.Nodes[0].Code, report.Nodes[0].Cause)
			assert.Zero(t, u.keys.made)
			assert.Zero(t, report.Nodes[0].Sent)
		})
	}
}

// What answers in place of a node in maintenance mode is given nothing.
func TestUpFingerprint(t *testing.T) {
	t.Parallel()

	const address = "127.0.60.1"

	u := newUpTest(t)
	u.up.Fingerprints = []string{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}
	require.NoError(t, u.cluster.AddMaintenance(&talostest.Live{Address: address}, time.Millisecond))
	require.NoError(t, os.WriteFile(filepath.Join(u.dir, "worker.yaml"), configOf(t, machinetype.TypeWorker), 0o600))

	report := u.run(t, upFile+"  a: {address: "+address+", config: worker.yaml}\n")
	assert.Equal(t, fleet.OutcomeFailed, report.Nodes[0].Outcome)
	assert.Equal(t, fleet.CodeFingerprint, report.Nodes[0].Code)
	assert.Zero(t, report.Nodes[0].Sent)
}
