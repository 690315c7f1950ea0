package fleet

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
	"github.com/talos-tsbridge/talos-tsbridge/verify/devices"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

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
