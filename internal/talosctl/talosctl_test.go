package talosctl_test

import (
	"strings"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talosctl"
)

func TestPlaces(t *testing.T) {
	t.Parallel()

	for command, want := range map[string][]talosctl.Place{
		"talosctl apply-config -f worker.yaml -p @-": {{Index: 5, Prefix: "@", Flag: "-p"}},
		"talosctl gen config a b --config-patch=@-":  {{Index: 5, Prefix: "--config-patch=@", Flag: "--config-patch", HasRole: true}},
		"talosctl gen config a b --config-patch-control-plane @- --config-patch-worker @-": {
			{Index: 6, Prefix: "@", Flag: "--config-patch-control-plane", Role: machine.TypeControlPlane, HasRole: true},
			{Index: 8, Prefix: "@", Flag: "--config-patch-worker", Role: machine.TypeWorker, HasRole: true, BesideControlPlane: true},
		},
		"talosctl gen config a b --config-patch @- --config-patch-worker @-": {
			{Index: 6, Prefix: "@", Flag: "--config-patch", HasRole: true},
			{Index: 8, Prefix: "@", Flag: "--config-patch-worker", Role: machine.TypeWorker, HasRole: true, AdditionsOnly: true},
		},
		"cat @- @-": {{Index: 1, Prefix: "@", Flag: "cat"}, {Index: 2, Prefix: "@", Flag: "@-"}},
	} {
		places, err := talosctl.Places(strings.Fields(command))
		require.NoError(t, err, command)
		assert.Equal(t, want, places, command)
	}

	for _, command := range []string{"@-", "talosctl apply-config -p @patch.yaml", "talosctl patch mc -p @- --patch=@-", "talosctl patch mc --config-patch @- -p @-"} {
		_, err := talosctl.Places(strings.Fields(command))
		require.Error(t, err, command)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()

	for command, want := range map[string]string{
		"talosctl gen config --talos-version v1.13":                       "v1.13",
		"talosctl gen config --talos-version=v1.13 --talos-version=v1.12": "v1.12",
		"talosctl gen config --talos-version":                             "",
		"talosctl gen config":                                             "",
	} {
		assert.Equal(t, want, talosctl.Version(strings.Fields(command)), command)
	}
}
