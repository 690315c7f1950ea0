package fleet

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
	"github.com/talos-tsbridge/talos-tsbridge/verify/devices"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
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

// deviceOf is the device that the variables of the service make, of a host that they need not name.
func deviceOf(environment map[string]string, hostname string) devices.Expected {
	var wanted nodes.Wanted

	for _, name := range []string{"TS_EXTRA_ARGS", "TS_ROUTES"} {
		wanted.Environment = append(wanted.Environment, name+"="+environment[name])
	}

	return devices.Expected{Name: cmp.Or(hostnameIn(environment), hostname), Tags: wanted.Tags(), Routes: wanted.Routes()}
}

// kept are the fields that the config keeps and the file does not have, as a plan tells.
func (c *converge) kept(desired *desired) []string {
	if !c.up.DryRun {
		return nil
	}

	return kept(desired.beforeTree, desired.finalTree, c.plan.Settings(c.index))
}

// note tells what is worth knowing about what changes. That a node without a key does not join, and that one which has joined
// does not take new arguments by itself, is what a run is there for.
func (c *converge) note(desired *desired) {
	for _, note := range desired.applied.Notes() {
		if note.Code != patch.NoteNoKey && note.Code != patch.NoteJoined {
			c.report.Notes = append(c.report.Notes, c.plan.file.named(note.Text))
		}
	}
}

// askDevice makes a login of what would leave the device without something that the config says.
func (c *converge) askDevice(ctx context.Context, state *talosapi.State, decided *decision) error {
	if c.up.Lacks == nil || c.report.Sent > 0 || decided.action == ActionJoin || decided.action == ActionLogin || len(state.TailnetAddresses) == 0 {
		return nil
	}

	expected, _ := c.report.Device()

	lacks, err := c.up.Lacks(ctx, expected)
	if err != nil || len(lacks) == 0 {
		return err
	}

	login := "logs in again without a key: its device lacks " + strings.Join(lacks, ", ")

	if decided.action == ActionNone {
		decided.says = nil
	}

	decided.action, decided.says = ActionLogin, append([]string{login}, decided.says...)

	return nil
}

// beforeLogin asks whether the node may log in.
func (c *converge) beforeLogin(ctx context.Context, login Login) error {
	if c.up.BeforeLogin == nil {
		return nil
	}

	login.Node = c.index
	notes, err := c.up.BeforeLogin(ctx, login)
	c.report.Says = append(c.report.Says, notes...)

	if err != nil {
		c.report.Action = ActionRefuse
	}

	return err
}

// loginOf says what a decision makes of a node in the tailnet. One that is there keeps its name unless its config changes it.
func loginOf(state *talosapi.State, decided *decision) Login {
	login := Login{Action: decided.action, Addresses: state.TailnetAddresses}
	hostname := cmp.Or(hostnameIn(decided.desired.inFinal), state.Hostname)

	if decided.action == ActionJoin || hostname != cmp.Or(hostnameIn(decided.desired.environment(state.Active)), state.Hostname) {
		login.Hostname = hostname
	}

	return login
}

// hostnameIn returns the name that the variables of the service give the node, "" where they leave it its own.
func hostnameIn(environment map[string]string) string {
	for argument := range strings.FieldsSeq(environment["TS_EXTRA_ARGS"]) {
		if name, ok := strings.CutPrefix("-"+strings.TrimLeft(argument, "-"), "-hostname="); ok {
			return name
		}
	}

	return environment["TS_HOSTNAME"]
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

// hasKey refuses a node for which there is no key before anything is sent to it; a plan only tells so.
func (c *converge) hasKey() error {
	var err error

	switch {
	case c.up.Keys != nil:
		err = checkKey(c.up.Keys, c.index)
	case !c.up.DryRun:
		err = errors.New("there is no key for the node: set API credentials or TS_AUTHKEY, or write authKey in the file")
	}

	switch {
	case err == nil:
		return nil
	case c.up.DryRun:
		c.report.Says = append(c.report.Says, "there is no key for it: "+tidy(err))

		return nil
	}

	c.report.Action = ActionRefuse

	return refuse(CodeKey, tidy(err))
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

	if err := c.await(ctx, before.Service.Last, true, environmentOf(trial)); err != nil {
		return err
	}

	// from here on an interruption would take back what is there: the node is done first
	ctx = context.WithoutCancel(ctx)

	// a node that was on the tailnet before is so again after a restart, without what it was to do in the try
	if environment, err := c.environmentInForce(ctx); err != nil {
		return err
	} else if !maps.Equal(environment, environmentOf(trial)) && !maps.Equal(environment, environmentOf(final)) {
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

	restarts := !maps.Equal(environmentOf(c.before), environmentOf(config)) || c.report.Sent > 1

	return c.await(ctx, before.Service.Last, restarts, environmentOf(config))
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
