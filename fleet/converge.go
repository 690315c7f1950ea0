package fleet

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// converge brings one node to what the plan says of it.
type converge struct {
	up    *Up
	plan  *Plan
	index int
	node  *Node
	api   *talosapi.Client
	stage func(*Node, string)
	// claim returns the first node of the plan that led to a machine.
	claim func(machine, node string) string
	// told is the stage that was told last.
	told string
	// before is the config on the node's disk, or the one that it is to be installed with.
	before []byte

	report *NodeReport
}

// callTimeout bounds each call to a node.
const callTimeout = 15 * time.Second

func (c *converge) says(stage string) {
	if c.told != stage {
		c.told = stage
		c.stage(c.node, stage)
	}
}

func (c *converge) run(ctx context.Context) {
	c.says("looking")

	state, waiting, err := c.look(ctx)
	if err == nil && waiting != nil {
		state, err = c.install(ctx, waiting, state)
		_ = waiting.Close() // nothing is lost with it
	}

	if err == nil && state != nil {
		err = c.bring(ctx, state)
	}

	if err != nil {
		c.report.fail(ctx, err)
	}
}

// look asks the node what it is like: through the cluster, or directly where it waits for its first config. Then the node
// to talk to there is returned too.
func (c *converge) look(ctx context.Context) (*talosapi.State, *talosapi.Node, error) {
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()

	state, err := c.api.Node(c.node.Address).Look(bounded)
	if err == nil || !talosapi.IsUnreachable(err) || ctx.Err() != nil {
		return state, nil, err
	}

	direct, cancelDirect := context.WithTimeout(ctx, callTimeout)
	defer cancelDirect()

	waiting, notWaiting := talosapi.Maintenance(direct, c.node.Address, c.up.Fingerprints...)

	switch {
	case errors.Is(notWaiting, talosapi.ErrFingerprint):
		return nil, nil, refuse(CodeFingerprint, notWaiting.Error(), "compare with what the console of the node shows: where it differs, something else answers in place of the node")
	case notWaiting != nil:
		return nil, nil, err
	}

	state, err = waiting.Look(direct)
	if err != nil {
		_ = waiting.Close()

		return nil, nil, err
	}

	return state, waiting, nil
}

// bring decides what to do about a node that has a config, and does it.
func (c *converge) bring(ctx context.Context, state *talosapi.State) error {
	if refused := c.checkAddress(state); refused != nil {
		c.report.Action = ActionRefuse

		return refused
	}

	c.report.TailnetAddresses = state.TailnetAddresses

	desired, err := desire(c.plan.Settings(c.index), c.plan.Unset(c.index), state.Persisted, c.up.KeepKey)
	if err != nil {
		return c.wrongConfig(err)
	}

	if state, err = c.settled(ctx, state, desired.environment(state.Active)); err != nil {
		return err
	}

	c.before, c.report.applied = desired.before, desired.applied
	c.report.expected = deviceOf(desired.inFinal, cmp.Or(state.Hostname, c.node.Name))
	c.report.Role = cmp.Or(c.report.Role, desired.config.Role().String())

	decided, refused := decide(state, desired, c.up.MoveNodeIP)
	if refused != nil {
		c.report.Action = ActionRefuse

		return refused
	}

	if err := c.askDevice(ctx, state, decided); err != nil {
		return err
	}

	if c.report.Action == "" {
		c.report.Action, c.report.Says = decided.action, decided.says

		if decided.action != ActionNone {
			c.note(desired)
		}

		if fields := c.kept(desired); len(fields) > 0 {
			c.report.Says = append(c.report.Says, "keeps what its config says for "+strings.Join(fields, ", ")+", which the file does not: unset takes it out")
		}

		if login := loginOf(state, decided); decided.action == ActionJoin || decided.action == ActionLogin || login.Hostname != "" {
			if err := c.beforeLogin(ctx, login); err != nil {
				return err
			}
		}

		if decided.action == ActionJoin {
			if err := c.hasKey(); err != nil {
				return err
			}
		}
	}

	switch {
	case decided.action == ActionNone:
		c.report.Outcome = OutcomeAsWanted
		if c.report.Sent > 0 {
			c.report.Outcome = OutcomeDone
		}

		return nil
	case c.up.DryRun:
		c.report.Outcome = OutcomePlanned

		return nil
	case decided.action == ActionJoin:
		err = c.join(ctx, decided)
	case decided.action == ActionLogin:
		err = c.login(ctx, decided)
	default:
		err = c.persist(ctx, desired.final, "bringing its config up to date")
	}

	if err == nil {
		c.report.Outcome = OutcomeDone
	}

	return err
}

// settled gives a service that has just been started the time to come to the tailnet by itself: a node that boots needs no
// key on the state that it has.
func (c *converge) settled(ctx context.Context, state *talosapi.State, environment map[string]string) (*talosapi.State, error) {
	const patience = 4

	for until := time.Now().Add(patience * c.up.Settle); environment != nil && len(state.Service.Failures) == 0 && !joined(state, environment); {
		if time.Now().After(until) {
			return state, nil
		}

		c.says("waiting for its service to start")

		select {
		case <-time.After(c.up.Interval):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}

		seen, err := c.watch(ctx)
		if err != nil {
			return nil, err
		}

		seen.Version, seen.Container, seen.Extension, seen.Schematic = state.Version, state.Container, state.Extension, state.Schematic
		seen.Persisted, seen.Active = state.Persisted, state.Active
		state = seen
	}

	return state, nil
}

// wrongConfig refuses a node over whose config the settings cannot come, with the names that the file has for them.
func (c *converge) wrongConfig(err error) *Refusal {
	if failure, ok := errors.AsType[*patch.ConfigError](err); ok {
		renamed := *failure
		renamed.Reason = c.plan.file.named(failure.Reason)

		return refuse(CodeConfig, strings.Replace(tidy(err), failure.Error(), renamed.Error(), 1))
	}

	faults, ok := errors.AsType[patch.Faults](err)
	if !ok {
		return refuse(CodeConfig, tidy(err))
	}

	texts := make([]string, len(faults))
	for i, fault := range faults {
		texts[i] = c.plan.file.named(fault.Message)
	}

	return refuse(CodeConfig, strings.Join(texts, "; "))
}
