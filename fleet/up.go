package fleet

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
	"github.com/talos-tsbridge/talos-tsbridge/verify/devices"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

// The defaults of [Up].
const (
	DefaultWait     = 2 * time.Minute
	DefaultBoot     = 10 * time.Minute
	DefaultSettle   = 3 * time.Second
	DefaultInterval = 500 * time.Millisecond
	DefaultParallel = 10
)

// Up brings nodes to what a plan says of them, through the Talos API. The zero Up, with Keys, does it as talosctl's own
// configuration has the cluster.
type Up struct {
	// Connection says how the Talos API is reached.
	Connection nodes.Connection
	// Fingerprints are those of the certificates of nodes in maintenance mode, as their consoles show them. Default: any
	// node that answers there is taken for the right one.
	Fingerprints []string
	// Keys are for nodes that are not on the tailnet yet. Default: none, and such a node is refused.
	Keys Keys

	// Wait is how long a node may take to come to the tailnet, Boot how long to come back with its first config. Settle is
	// how long the service has to run before it counts as one that stays. Interval is the time between two looks. Defaults:
	// [DefaultWait], [DefaultBoot], [DefaultSettle] and at most [DefaultInterval].
	Wait, Boot, Settle, Interval time.Duration
	// Parallel is how many workers are brought up at a time; control planes come first, one after another. Default:
	// [DefaultParallel].
	Parallel int

	// DryRun decides and changes nothing.
	DryRun bool
	// ContinueOnError begins further nodes although one failed.
	ContinueOnError bool
	// KeepKey leaves the key in the config of a node that joins, for nodes that have to log in again at each start.
	KeepKey bool
	// MoveNodeIP lets the address change by which Kubernetes knows a node.
	MoveNodeIP bool

	// BeforeAny, if set, is given what would be done about all nodes before anything is sent to any of them. Its error ends the
	// run. Nodes that were found as wanted are not looked at again.
	BeforeAny func(planned *Report) error
	// BeforeLogin, if set, is asked before anything is sent to a node that is to join, to log in again or to change its name,
	// also in a dry run. Its error, a [Refusal] or another, leaves the node as it is; its notes are told with the plan.
	BeforeLogin func(ctx context.Context, login Login) (notes []string, err error)
	// Lacks, if set, is asked about the device of a node that is on the tailnet: what of that which the node's config makes of it
	// it does not have, such as tags. Where that is anything, the node logs in again.
	Lacks func(ctx context.Context, expected devices.Expected) ([]string, error)

	// OnStage, if set, is told what is being done about a node, one at a time.
	OnStage func(node *Node, stage string)
	// OnNode, if set, is told how each node went, one at a time.
	OnNode func(NodeReport)
}

// Login is what a node is about to be in the tailnet.
type Login struct {
	// Node is its place in the plan, Action what is done about it.
	Node   int
	Action Action
	// Hostname is the name that it takes, empty where it keeps the one that it has or nothing says one. Addresses are those
	// that it has in the tailnet already.
	Hostname  string
	Addresses []netip.Addr
}

// Outcome is how it went with a node.
type Outcome string

const (
	// OutcomeAsWanted: there was nothing to do, and nothing was sent.
	OutcomeAsWanted Outcome = "as-wanted"
	// OutcomePlanned: there is something to do, in a dry run.
	OutcomePlanned Outcome = "planned"
	// OutcomeDone: what was to do is done and was seen in force.
	OutcomeDone Outcome = "done"
	// OutcomeFailed: the node is not as wanted.
	OutcomeFailed Outcome = "failed"
	// OutcomeUnknown: the node could not be asked.
	OutcomeUnknown Outcome = "unknown"
	// OutcomeNotBegun: the run ended before the node.
	OutcomeNotBegun Outcome = "not-begun"
)

// NodeReport is how it went with a node.
type NodeReport struct {
	Node    string  `json:"node"`
	Address string  `json:"address"`
	Role    string  `json:"role,omitempty"`
	Outcome Outcome `json:"outcome"`
	Action  Action  `json:"action,omitempty"`
	// Says is what the action means for the node.
	Says []string `json:"says,omitempty"`
	// Notes are what is worth knowing about what changes in its config, as [Note.Text] has it.
	Notes []string `json:"notes,omitempty"`
	// Code and Cause say why the node failed or was refused, Next what to do about it.
	Code  Code     `json:"code,omitempty"`
	Cause string   `json:"cause,omitempty"`
	Next  []string `json:"next,omitempty"`
	// TailnetAddresses are those that the node has in the tailnet at the end.
	TailnetAddresses []netip.Addr `json:"tailnetAddresses,omitempty"`
	// Sent counts the configs that the node was given, Keys the keys that were leased for it.
	Sent int `json:"sent"`
	Keys int `json:"keys"`
	// Seconds is how long it took.
	Seconds float64 `json:"seconds"`

	// applied is for [NodeReport.Diff], with all its secrets.
	applied *patch.Applied
	// expected is the device that the config of the node makes, without addresses.
	expected devices.Expected
}

// Device returns the device that the node is in the tailnet at the end, by its config and its addresses; false where it is not
// there, or its config was refused.
func (r *NodeReport) Device() (devices.Expected, bool) {
	expected := r.expected
	expected.Addresses = r.TailnetAddresses

	return expected, expected.Name != "" && len(r.TailnetAddresses) > 0
}

// Report is how it went with all nodes, in the order of the plan.
type Report struct {
	Nodes []NodeReport `json:"nodes"`
}

// Count returns how many nodes have an outcome.
func (r *Report) Count(outcome Outcome) int {
	count := 0

	for _, node := range r.Nodes {
		if node.Outcome == outcome {
			count++
		}
	}

	return count
}

// Sent returns how many configs were sent, and how many keys were leased.
func (r *Report) Sent() (configs, keys int) {
	for _, node := range r.Nodes {
		configs += node.Sent
		keys += node.Keys
	}

	return configs, keys
}

// Notes returns those of all nodes.
func (r *Report) Notes() []Note {
	var all notes

	for _, node := range r.Nodes {
		for _, text := range node.Notes {
			all.add("", text, node.Node)
		}
	}

	return all.list
}

// Run brings up the nodes of the plan: control planes one after another, then workers. It fails where no node could be
// asked at all, or BeforeAny did; what becomes of each node is in the report. When ctx ends, nodes that are being brought up are left as they
// were or as they are to be, their keys are taken back, and no further one is begun.
func (u *Up) Run(ctx context.Context, plan *Plan) (*Report, error) {
	api, err := talosapi.Connect(ctx, talosapi.Connection(u.Connection))
	if err != nil {
		return nil, err
	}

	defer func() { _ = api.Close() }() // nothing is lost with it

	up := u.withDefaults()
	planned := &Report{}

	if !up.DryRun && (up.BeforeAny != nil || plan.lacksRoles()) {
		foreseen := *up
		foreseen.DryRun, foreseen.OnStage, foreseen.OnNode = true, nil, nil
		planned = foreseen.rollOut(ctx, plan, api, planned)
	}

	if up.BeforeAny != nil && !up.DryRun && ctx.Err() == nil {
		if err := up.BeforeAny(planned); err != nil {
			return nil, err
		}
	}

	return up.rollOut(ctx, plan, api, planned), context.Cause(ctx)
}

// rollOut is one run over all nodes. Of those that were looked at for it, planned tells; it may be empty.
func (u *Up) rollOut(ctx context.Context, plan *Plan, api *talosapi.Client, planned *Report) *Report {
	r := &rollout{up: u, plan: plan, api: api, planned: planned, report: &Report{Nodes: make([]NodeReport, plan.Len())}, machines: map[string]string{}}
	r.run(ctx)

	return r.report
}

func (u *Up) withDefaults() *Up {
	filled := *u

	for span, value := range map[*time.Duration]time.Duration{
		&filled.Wait: DefaultWait, &filled.Boot: DefaultBoot, &filled.Settle: DefaultSettle,
	} {
		if *span <= 0 {
			*span = value
		}
	}

	if filled.Interval <= 0 {
		filled.Interval = min(DefaultInterval, filled.Settle/4) //nolint:mnd // what stays is seen a few times
	}

	if filled.Parallel <= 0 {
		filled.Parallel = DefaultParallel
	}

	return &filled
}

// rollout is one run over all nodes.
type rollout struct {
	up      *Up
	plan    *Plan
	api     *talosapi.Client
	planned *Report
	report  *Report

	guard   sync.Mutex
	stopped bool
	// machines are the nodes of the plan by what they lead to.
	machines map[string]string
}

func (r *rollout) run(ctx context.Context) {
	var first, rest []int

	for i := range r.plan.Len() {
		if !r.up.DryRun && isControlPlane(r.role(i)) {
			first = append(first, i)
		} else {
			rest = append(rest, i)
		}
	}

	for _, i := range first {
		r.node(ctx, i)
	}

	var group errgroup.Group

	group.SetLimit(r.up.Parallel)

	for _, i := range rest {
		group.Go(func() error {
			r.node(ctx, i)

			return nil
		})
	}

	_ = group.Wait() // what failed is in the report
}

// node brings up a node, unless the run has been stopped.
func (r *rollout) node(ctx context.Context, i int) {
	node := r.plan.Node(i)

	r.guard.Lock()
	stopped := r.stopped || ctx.Err() != nil
	r.guard.Unlock()

	report := NodeReport{Node: node.Name, Address: node.Address, Role: r.plan.Role(i), Outcome: OutcomeNotBegun}

	switch {
	case stopped:
	case len(r.planned.Nodes) > 0 && r.planned.Nodes[i].Outcome == OutcomeAsWanted:
		report = r.planned.Nodes[i]
	default:
		c := &converge{up: r.up, plan: r.plan, index: i, node: node, api: r.api, stage: r.stage, claim: r.claim, report: &report}
		began := time.Now()
		c.run(ctx)
		report.Seconds = time.Since(began).Round(time.Millisecond).Seconds()
	}

	r.guard.Lock()
	defer r.guard.Unlock()

	failed := report.Outcome == OutcomeFailed || report.Outcome == OutcomeUnknown
	r.stopped = r.stopped || failed && !r.up.ContinueOnError && !r.up.DryRun
	r.report.Nodes[i] = report

	if r.up.OnNode != nil {
		r.up.OnNode(report)
	}
}

func (r *rollout) stage(node *Node, stage string) {
	if r.up.OnStage == nil {
		return
	}

	r.guard.Lock()
	defer r.guard.Unlock()

	r.up.OnStage(node, stage)
}

// fail fills in how a node failed.
// fail fills in how a node failed. One that could not be asked, and was given nothing, is not known to be wrong.
func (r *NodeReport) fail(ctx context.Context, err error) {
	r.Outcome = OutcomeFailed

	refused, ok := errors.AsType[*Refusal](err)
	if !ok {
		refused = r.notAsked(err)

		if r.Sent == 0 {
			r.Outcome = OutcomeUnknown
		}
	}

	r.Code, r.Cause, r.Next = refused.Code, tidy(err), slices.Clone(refused.Next) // of several, the cause has all

	if ctx.Err() != nil {
		r.Outcome, r.Code, r.Cause = OutcomeFailed, CodeInterrupted, "the run was ended before the node was done"

		if r.Sent == 0 {
			r.Outcome = OutcomeNotBegun
		}
	}
}

// notAsked says what to do about a node that could not be asked.
func (r *NodeReport) notAsked(err error) *Refusal {
	_, isName := netip.ParseAddr(r.Address)

	switch {
	case !talosapi.IsUnreachable(err):
		return refuse(CodeUnread, "")
	case isName != nil && strings.Contains(err.Error(), "lookup"):
		return refuse(CodeUnreachable, "", "write the IP address of the node, or a name that the cluster knows: its endpoint looks names up, as for talosctl --nodes, and not this machine")
	case talosapi.IsCertificate(err):
		return refuse(CodeUnreachable, "", "see whether the talosconfig is of this cluster: talosctl config contexts")
	default:
		return refuse(CodeUnreachable, "", "check its address, and the endpoints of the talosconfig: talosctl version --nodes "+r.Address)
	}
}
