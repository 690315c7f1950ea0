package talostest

import (
	"sync"
	"time"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/generate"
	"github.com/siderolabs/talos/pkg/machinery/config/generate/secrets"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/siderolabs/talos/pkg/machinery/constants"
)

// clusterSecrets are those of every generated config: making them takes longer than most tests.
var clusterSecrets = sync.OnceValues(func() (*secrets.Bundle, error) {
	return secrets.NewBundle(secrets.NewFixedClock(time.Now()), coreconfig.TalosVersion1_14)
})

// Config returns a machine config of contract v1.14 as talosctl gen config makes it, without comments.
func Config(role machine.Type, options ...generate.Option) ([]byte, error) {
	bundle, err := clusterSecrets()
	if err != nil {
		return nil, err
	}

	input, err := generate.NewInput("lab", "https://192.168.1.10:6443", constants.DefaultKubernetesVersion,
		append([]generate.Option{generate.WithVersionContract(coreconfig.TalosVersion1_14), generate.WithSecretsBundle(bundle), generate.WithInstallDisk("/dev/sda")},
			options...)...)
	if err != nil {
		return nil, err
	}

	config, err := input.Config(role)
	if err != nil {
		return nil, err
	}

	return config.EncodeBytes(encoder.WithComments(encoder.CommentsDisabled))
}
