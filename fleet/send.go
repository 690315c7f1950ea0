package fleet

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
)

// join brings everything but the service to the config, then gives the service a key in a config that is on no disk, and
// persists the config without the key once the node is on the tailnet.
func (c *converge) join(ctx context.Context, decided *decision) error {
	base, err := decided.desired.withoutService()
	if err != nil {
		return c.wrongConfig(err)
	}

	// what comes back at the end of a try is what is in force at its beginning, so an earlier one has to end first
	if string(base) != string(decided.desired.before) || decided.tried {
		if err := c.send(ctx, "bringing all but the service up to date", func(ctx context.Context, node *talosapi.Node) error {
			return node.Persist(ctx, base)
		}); err != nil {
			return err
		}
	}

	lease, err := c.lease(ctx)
	if err != nil {
		return err
	}

	err = c.joinWith(ctx, decided.desired, lease)
	if err == nil {
		lease.Keep()
	}

	return release(ctx, lease, err)
}

func (c *converge) lease(ctx context.Context) (Lease, error) {
	c.says("leasing a key")

	lease, err := c.up.Keys.Lease(ctx, c.index)

	switch _, refused := errors.AsType[*Refusal](err); {
	case refused:
		return nil, err
	case err != nil:
		return nil, refuse(CodeKey, tidy(err))
	}

	if lease.Key().IsZero() {
		return nil, refuse(CodeKey, errNoKey.Error())
	}

	c.report.Keys++

	return lease, nil
}

// margin is how much longer a config is tried than is waited for it.
const margin = 30 * time.Second

func (c *converge) joinWith(ctx context.Context, desired *desired, lease Lease) error {
	withKey, err := desired.withKey(lease.Key())
	if err != nil {
		return c.wrongConfig(err)
	}

	final := desired.final
	if c.up.KeepKey {
		final = withKey
	}

	return c.tryThenPersist(ctx, withKey, final, "joining")
}

// login lets the device log in again without a key, and persists the config that does so no more.
func (c *converge) login(ctx context.Context, decided *decision) error {
	if decided.tried {
		if err := c.send(ctx, "ending what an earlier run tried", func(ctx context.Context, node *talosapi.Node) error {
			return node.Persist(ctx, decided.desired.before)
		}); err != nil {
			return err
		}
	}

	config, err := decided.desired.login()
	if err != nil {
		return c.wrongConfig(err)
	}

	return c.tryThenPersist(ctx, config, decided.desired.final, "logging in again")
}

// tryThenPersist puts a config into force that is on no disk, waits until the node is on the tailnet with it, and persists
// another one in its place. Where the node does not come up, it takes the config back by itself.
func (c *converge) tryThenPersist(ctx context.Context, trial, final []byte, stage string) error {
	before, err := c.watch(ctx)
	if err != nil {
		return err
	}

	if err := c.send(ctx, stage, func(ctx context.Context, node *talosapi.Node) error {
		return node.Try(ctx, trial, c.up.Wait+margin)
	}); err != nil {
		return err
	}

	wanted := environmentOf(trial)
	if err := c.await(ctx, before.Service.Last, true, wanted); err != nil {
		return err
	}

	// from here on an interruption would take back what is there: the node is done first
	ctx = context.WithoutCancel(ctx)

	// a node that was on the tailnet before is so again after a restart, without what it was to do in the try
	if environment, err := c.environmentInForce(ctx); err != nil {
		return err
	} else if !maps.Equal(environment, wanted) && !maps.Equal(environment, environmentOf(final)) {
		return startedAgain() // and nobody else has brought it to its end
	}

	return c.persist(ctx, final, "persisting the config")
}

// environmentInForce returns the variables of the service in the config that is in force.
func (c *converge) environmentInForce(ctx context.Context) (map[string]string, error) {
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()

	state, err := c.api.Node(c.node.Address).Look(bounded)
	if err != nil {
		return nil, err
	}

	return environmentOf(state.Active), nil
}

// persist writes a config to the node's disk and waits until its service stays.
func (c *converge) persist(ctx context.Context, config []byte, stage string) error {
	before, err := c.watch(ctx)
	if err != nil {
		return err
	}

	if err := c.send(ctx, stage, func(ctx context.Context, node *talosapi.Node) error { return node.Persist(ctx, config) }); err != nil {
		return err
	}

	environment := environmentOf(config)
	restarts := !maps.Equal(environmentOf(c.before), environment) || c.report.Sent > 1

	return c.await(ctx, before.Service.Last, restarts, environment)
}

// send gives the node a config.
func (c *converge) send(ctx context.Context, stage string, call func(context.Context, *talosapi.Node) error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}

	c.says(stage)

	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()

	c.report.Sent++

	err := call(bounded, c.api.Node(c.node.Address))
	if err != nil && !talosapi.IsUnreachable(err) {
		return refuse(CodeNotTaken, "the node does not take the config: "+tidy(err))
	}

	return err
}

func (c *converge) watch(ctx context.Context) (*talosapi.State, error) {
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()

	return c.api.Node(c.node.Address).Watch(bounded)
}
