package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

// manyFailures of the service in a row mean that it will not come up: once may be an accident of the start.
const manyFailures = 2

const waitingStage = "waiting for the tailnet"

// await waits until the node is on the tailnet with a service that stays. Since is the service's last event before the
// config was given, and restarts tells that the config starts the service again.
func (c *converge) await(ctx context.Context, since time.Time, restarts bool, environment map[string]string) error {
	c.says(waitingStage)

	bounded, cancel := context.WithTimeout(ctx, c.up.Wait)
	defer cancel()

	var (
		began   = time.Now()
		last    *talosapi.State
		unseen  error
		lacking spell
		upSince time.Time
		event   time.Time
	)

	for {
		state, err := c.watch(bounded)

		switch {
		case bounded.Err() != nil:
		case err != nil:
			unseen, upSince = err, time.Time{}
		case restarts && lacking.lasts(state.Service.LacksDocument() && state.Service.Last.After(since), 2*c.up.Settle):
			return startedAgain()
		case restarts && state.Service.FailedSince(since) >= manyFailures:
			return c.notJoined(ctx, "the service fails", environment)
		case !joined(state, environment):
			last, unseen, upSince = state, nil, time.Time{}
		default:
			last, unseen = state, nil

			if upSince.IsZero() || !state.Service.Last.Equal(event) {
				upSince, event = time.Now(), state.Service.Last
			}

			// a config is in force a moment after it was given: until then the service is the one of before
			changed := !restarts || state.Service.Last.After(since) || time.Since(began) > 2*c.up.Settle

			if changed && time.Since(upSince) >= c.up.Settle {
				c.report.TailnetAddresses = state.TailnetAddresses

				return nil
			}
		}

		select {
		case <-time.After(c.up.Interval):
		case <-bounded.Done():
			if err := context.Cause(ctx); err != nil {
				return err
			}

			return c.late(ctx, last, unseen, environment)
		}
	}
}

// spell is how long something has been so.
type spell struct{ since time.Time }

// lasts reports whether something is so, and has been for a time.
func (s *spell) lasts(is bool, long time.Duration) bool {
	switch {
	case !is:
		s.since = time.Time{}
	case s.since.IsZero():
		s.since = time.Now()
	}

	return is && time.Since(s.since) >= long
}

// startedAgain is how a try ends that the node forgot.
func startedAgain() *Refusal {
	return refuse(CodeNotJoined, "the node is what it was before it was given its config for a try: it has started again, or another run has ended the try", "run up again")
}

// late says what was seen when the time was over.
func (c *converge) late(ctx context.Context, last *talosapi.State, unseen error, environment map[string]string) error {
	switch {
	case unseen != nil:
		return refuse(CodeNotJoined, "the node does not answer any more: "+tidy(unseen),
			"look whether it runs; what it was given for a try, it takes back by itself")
	case last == nil:
		return c.notJoined(ctx, "the node was not seen on the tailnet", environment)
	case !last.Service.Running():
		return c.notJoined(ctx, "the service is "+cmp.Or(last.Service.State, "unknown")+" ("+cmp.Or(last.Service.Message, "unknown")+")", environment)
	default:
		return c.notJoined(ctx, fmt.Sprintf("the service runs, and the node has no address of the tailnet after %s", c.up.Wait), environment)
	}
}

// notJoined finds the cause in the log of the service, which had the environment.
func (c *converge) notJoined(ctx context.Context, what string, environment map[string]string) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()

	next := []string{"look at what it says: talosctl -n " + c.node.Address + " logs " + talosapi.ServiceName}

	if lines, err := c.api.Node(c.node.Address).Log(bounded); err == nil {
		if log := nodes.ReadLog(lines); log != nil {
			node := nodes.Node{Address: c.node.Address}
			for name, value := range environment {
				node.Environment = append(node.Environment, name+"="+value)
			}

			var cause string

			cause, next = log.Explain(node)
			what += ": " + cause
		}
	}

	return refuse(CodeNotJoined, what, append(next, "the node takes back by itself what it was given for a try")...)
}

// tidy returns an error as one line.
func tidy(err error) string {
	if faults, ok := err.(interface{ Unwrap() []error }); ok && len(faults.Unwrap()) > 0 {
		text := ""

		for i, one := range faults.Unwrap() {
			if i > 0 {
				text += "; "
			}

			text += tidy(one)
		}

		return text
	}

	if err == nil || errors.Is(err, context.Canceled) {
		return "the run was ended"
	}

	return err.Error()
}
