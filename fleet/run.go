package fleet

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// Sink is where patches go.
type Sink interface {
	// Deliver hands over the patch of a node. Where it fails, the key of the patch is taken back.
	Deliver(ctx context.Context, delivery *Delivery) error
}

// Delivery is the patch of a node on its way.
type Delivery struct {
	// Node is the node, which the sink does not change. Role is empty where nothing says it.
	Node *Node
	Role string
	// Patch has the key of the node in it.
	Patch *patch.Patch

	unused bool
}

// Unused says that the patch was handed over and not taken: its key is released, and the delivery is no failure.
func (d *Delivery) Unused() { d.unused = true }

// DefaultDeliveries is how many nodes [Run] delivers to at a time: enough to keep an API busy that makes their keys.
const DefaultDeliveries = 8

// RunOptions say how to run.
type RunOptions struct {
	// Keys is where the keys of nodes come from. Default: none have one.
	Keys Keys
	// Parallel is how many nodes are delivered to at a time. Default: [DefaultDeliveries], or one for each processor where
	// there are more.
	Parallel int
	// ContinueOnError delivers to the other nodes where one fails. Default: no further node is begun.
	ContinueOnError bool
	// OnNode, if set, is told how each node went, one at a time.
	OnNode func(node *Node, err error)
}

// Summary is what became of the nodes.
type Summary struct {
	// Delivered counts those that got their patch, Failed are the names of those that did not, NotBegun counts the rest.
	Delivered int
	Failed    []string
	NotBegun  int
}

// NodeError is the failure of a node.
type NodeError struct {
	Node string
	Err  error
}

func (e *NodeError) Error() string { return fmt.Sprintf("node %s: %v", e.Node, e.Err) }

// Unwrap returns what failed.
func (e *NodeError) Unwrap() error { return e.Err }

// Run makes the patch of each node and delivers it, with a key of its own where keys are minted: the key is kept once the
// patch was delivered, and else released, also where ctx has ended. It returns the failures of all nodes, and the cause of
// ctx where that ended it.
func Run(ctx context.Context, plan *Plan, sink Sink, options RunOptions) (Summary, error) {
	r := &runner{plan: plan, sink: sink, options: options}

	if r.options.Keys == nil {
		r.options.Keys = GivenKey(authkey.Key{}, true)
	}

	parallel := options.Parallel
	if parallel <= 0 {
		parallel = max(runtime.GOMAXPROCS(0), DefaultDeliveries)
	}

	var workers sync.WaitGroup

	for range min(parallel, plan.Len()) {
		workers.Go(func() { r.work(ctx) })
	}

	workers.Wait()

	r.summary.NotBegun = plan.Len() - r.summary.Delivered - len(r.summary.Failed)
	slices.Sort(r.summary.Failed)

	if err := context.Cause(ctx); err != nil {
		r.errs = append(r.errs, err)
	}

	return r.summary, errors.Join(r.errs...)
}

type runner struct {
	plan    *Plan
	sink    Sink
	options RunOptions

	guard   sync.Mutex
	next    int
	stopped bool
	summary Summary
	errs    []error
}

// work delivers to one node after another.
func (r *runner) work(ctx context.Context) {
	for {
		i, ok := r.take(ctx)
		if !ok {
			return
		}

		r.done(i, r.deliver(ctx, i))
	}
}

func (r *runner) take(ctx context.Context) (int, bool) {
	r.guard.Lock()
	defer r.guard.Unlock()

	if r.stopped || r.next >= r.plan.Len() || ctx.Err() != nil {
		return 0, false
	}

	r.next++

	return r.next - 1, true
}

func (r *runner) done(i int, err error) {
	r.guard.Lock()
	defer r.guard.Unlock()

	node := r.plan.Node(i)

	if err == nil {
		r.summary.Delivered++
	} else {
		r.summary.Failed = append(r.summary.Failed, node.Name)
		r.errs = append(r.errs, &NodeError{node.Name, err})
		r.stopped = r.stopped || !r.options.ContinueOnError
	}

	if r.options.OnNode != nil {
		r.options.OnNode(node, err)
	}
}

func (r *runner) deliver(ctx context.Context, i int) error {
	lease, err := r.options.Keys.Lease(ctx, i)
	if err != nil {
		return err
	}

	delivery := &Delivery{Node: r.plan.Node(i), Role: r.plan.Role(i)}

	if delivery.Patch, err = r.plan.Patch(i, lease.Key()); err == nil {
		err = r.sink.Deliver(ctx, delivery)
	}

	if err == nil && !delivery.unused {
		lease.Keep()

		return nil
	}

	return release(ctx, lease, err)
}
