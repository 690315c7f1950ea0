package main

import (
	"os"
	"path/filepath"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/generate"
	"github.com/siderolabs/talos/pkg/machinery/config/generate/secrets"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/siderolabs/talos/pkg/machinery/constants"
)

// generator makes the configs that `talosctl gen config` would make. Their keys
// cost seconds to generate, so the configs are kept in a folder between runs.
type generator struct {
	folder string
}

func (g generator) config(contract, role string) ([]byte, error) {
	kept, err := os.ReadFile(g.path(contract, role))
	if err == nil {
		return kept, nil
	}

	if err := g.generate(contract); err != nil {
		return nil, err
	}

	return os.ReadFile(g.path(contract, role))
}

func (g generator) path(contract, role string) string {
	return filepath.Join(g.folder, contract+"-"+role+".yaml")
}

// generate makes the configs of both roles of one cluster.
func (g generator) generate(contractName string) error {
	contract, err := config.ParseContractFromVersion(contractName)
	if err != nil {
		return err
	}

	bundle, err := secrets.NewBundle(secrets.NewFixedClock(time.Now()), contract)
	if err != nil {
		return err
	}

	input, err := generate.NewInput("e2e", "https://192.0.2.1:6443", constants.DefaultKubernetesVersion,
		generate.WithVersionContract(contract),
		generate.WithSecretsBundle(bundle),
		generate.WithInstallDisk("/dev/sda"),
	)
	if err != nil {
		return err
	}

	for _, role := range []machine.Type{machine.TypeControlPlane, machine.TypeWorker} {
		provider, err := input.Config(role)
		if err != nil {
			return err
		}

		generated, err := provider.Bytes()
		if err != nil {
			return err
		}

		if err := keep(g.path(contractName, role.String()), generated); err != nil {
			return err
		}
	}

	return nil
}

// keep writes a file at once, so that a run that was cut off leaves no half of one.
func keep(path string, content []byte) error {
	unfinished := path + ".unfinished"

	if err := os.WriteFile(unfinished, content, 0o600); err != nil {
		return err
	}

	return os.Rename(unfinished, path)
}
