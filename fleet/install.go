package fleet

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/imagefactory"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
)

// install gives a node in maintenance mode its first config, without the service, and waits until it has booted with it.
// Never a try there: the node would boot with it and be left without a Talos API at its end. It returns what the node is
// like then, or no state where there is nothing more to do.
func (c *converge) install(ctx context.Context, waiting *talosapi.Node, state *talosapi.State) (*talosapi.State, error) {
	if refused := c.checkAddress(state); refused != nil {
		c.report.Action = ActionRefuse

		return nil, refused
	}

	c.report.Action = ActionInstall

	base, err := c.plan.Config(ctx, c.index)

	switch {
	case err != nil && context.Cause(ctx) != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, refuse(CodeNoConfig, "the node waits for its first config: "+err.Error())
	}

	desired, err := desire(c.plan.Settings(c.index), c.plan.Unset(c.index), base, false)
	if err != nil {
		return nil, c.wrongConfig(fmt.Errorf("%s: %w", c.node.Config, err))
	}

	c.before, c.report.applied = desired.before, desired.applied
	c.report.Role = cmp.Or(c.report.Role, desired.config.Role().String())

	if refused := checkImage(state, desired.finalTree); refused != nil {
		c.report.Action = ActionRefuse

		return nil, refused
	}

	if refused := checkOverlap(desired.config); refused != nil {
		c.report.Action = ActionRefuse

		return nil, refused
	}

	if err := c.beforeLogin(ctx, Login{Action: ActionInstall, Hostname: hostnameIn(desired.inFinal)}); err != nil {
		return nil, err
	}

	if err := c.hasKey(); err != nil {
		return nil, err
	}

	c.note(desired)
	c.report.Says = append(c.report.Says, "waits for its first config: is installed with "+c.node.Config+", and joins once it has booted")

	if c.up.DryRun {
		c.report.Outcome = OutcomePlanned

		return nil, nil //nolint:nilnil // there is nothing more to do
	}

	// without the service as the file has it: a key that talosctl gen config put there is not written to the disk
	first, err := desired.withoutServiceDocument()
	if err != nil {
		return nil, c.wrongConfig(err)
	}

	if err := c.send(ctx, "installing", func(ctx context.Context, _ *talosapi.Node) error { return waiting.Install(ctx, first) }); err != nil {
		return nil, err
	}

	return c.awaitBoot(ctx)
}

// checkImage refuses what would be installed without the extension. The image that runs tells of itself alone: what is
// installed is the one that the config names, except in a container, which installs none.
func checkImage(state *talosapi.State, config tree) *Refusal {
	image := config.installImage()

	switch {
	case state.Extension != "" && (state.Container || image == "" || !imagefactory.IsStock(image)):
		return nil
	case state.Extension != "":
		return refuse(CodeImageLosesExtension, "the config installs "+image+", which has no extensions",
			"write installImage: IMAGE at the node, as talos-tsbridge schematic --image prints it")
	case image != "" && !imagefactory.IsStock(image) && !state.Container:
		return nil // it is asked again once that image has booted
	}

	return extensionMissing(state, config)
}

// awaitBoot waits until the node answers through the cluster.
func (c *converge) awaitBoot(ctx context.Context) (*talosapi.State, error) {
	c.says("waiting for the node to boot")

	bounded, cancel := context.WithTimeout(ctx, c.up.Boot)
	defer cancel()

	for {
		attempt, cancelAttempt := context.WithTimeout(bounded, callTimeout)
		state, err := c.api.Node(c.node.Address).Look(attempt)

		cancelAttempt()

		if err == nil && state.Persisted != nil {
			return state, nil
		}

		select {
		case <-time.After(c.up.Interval):
		case <-bounded.Done():
			if err := context.Cause(ctx); err != nil {
				return nil, err
			}

			cause := "the node has not come back"
			if err != nil {
				cause += ": " + tidy(err)
			}

			return nil, refuse(CodeNotBooted, cause, "look at its console, and run up again once it answers")
		}
	}
}
