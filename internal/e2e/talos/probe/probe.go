package main

import (
	"errors"
	"fmt"

	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/configpatcher"
	"github.com/siderolabs/talos/pkg/machinery/config/validation"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/talos/protocol"
)

// probe tries a case. Its error is that of a config that could not be prepared.
func probe(c protocol.Case, config []byte) (protocol.Outcome, error) {
	if c.Before != "" {
		before, err := configpatcher.LoadPatch([]byte(c.Before))
		if err != nil {
			return protocol.Outcome{}, err
		}

		prepared := applied(config, before)
		if fault := prepared.Apply + prepared.Validate; fault != "" {
			return protocol.Outcome{}, errors.New(fault)
		}

		config = []byte(prepared.Config)
	}

	var (
		outcome protocol.Outcome
		patch   configpatcher.Patch
	)

	outcome.Load = fault(func() (err error) {
		patch, err = configpatcher.LoadPatch([]byte(c.Patch))

		return err
	})
	if outcome.Load != "" {
		return outcome, nil
	}

	outcome.First = applied(config, patch)
	if outcome.First.Apply == "" {
		outcome.Second = applied([]byte(outcome.First.Config), patch)
	}

	return outcome, nil
}

func applied(config []byte, patch configpatcher.Patch) protocol.Result {
	var result protocol.Result

	result.Apply = fault(func() error {
		output, err := configpatcher.Apply(configpatcher.WithBytes(config), []configpatcher.Patch{patch})
		if err != nil {
			return err
		}

		patched, err := output.Bytes()
		result.Config = string(patched)

		return err
	})
	if result.Apply != "" {
		return result
	}

	// The bytes are read again, because that is what reaches a node. Local means
	// that the disks of this machine are not looked at.
	result.Validate = fault(func() error {
		provider, err := configloader.NewFromBytes([]byte(result.Config))
		if err != nil {
			return err
		}

		_, err = provider.Validate(metal{}, validation.WithLocal()) //nolint:staticcheck // older releases have no other

		return err
	})

	return result
}

// fault is the message of a step's error. A panic inside Talos is a fault of
// the step, too: talosctl would end with it.
func fault(step func() error) (message string) {
	defer func() {
		if cause := recover(); cause != nil {
			message = fmt.Sprintf("panic: %v", cause)
		}
	}()

	if err := step(); err != nil {
		return err.Error()
	}

	return ""
}
