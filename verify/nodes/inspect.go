package nodes

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/client"
	"golang.org/x/sync/errgroup"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

const extension = "tailscale"

// The defaults of an [Inspector].
const (
	DefaultTimeout  = 10 * time.Second
	DefaultParallel = 64
)

// Inspector asks nodes.
type Inspector struct {
	// Client is that of a cluster; its endpoints pass the questions on to the nodes.
	Client *client.Client
	// Timeout bounds the questions to one node. Default: [DefaultTimeout].
	Timeout time.Duration
	// Parallel is how many nodes are asked at a time. Default: [DefaultParallel].
	Parallel int
	// Wait is for how long a node is asked again while [Diagnose] finds more than warnings. Default: 0, asked once.
	Wait time.Duration
	// Interval is the pause between two rounds of questions to a node. Default: [verify.DefaultInterval].
	Interval time.Duration
	// Wanted is what Diagnose is given for that. Default: nil.
	Wanted *Wanted
	// OnNode, if set, is given each node whenever it was asked, one at a time.
	OnNode func(Node)

	notify sync.Mutex
}

// Inspect asks the nodes, and returns what each says, in their order. A node that does not answer has a Failure.
func (i *Inspector) Inspect(ctx context.Context, addresses []string) []Node {
	parallel := i.Parallel
	if parallel <= 0 {
		parallel = DefaultParallel
	}

	var (
		group errgroup.Group
		nodes = make([]Node, len(addresses))
	)

	group.SetLimit(parallel)

	for n, address := range addresses {
		group.Go(func() error {
			nodes[n] = i.askUntilWell(ctx, address)

			return nil
		})
	}

	_ = group.Wait() // what failed is in the nodes

	return nodes
}

// askUntilWell asks a node until nothing is wrong with it or the time is over.
func (i *Inspector) askUntilWell(ctx context.Context, address string) Node {
	timeout, interval := i.Timeout, i.Interval
	if timeout <= 0 {
		timeout = DefaultTimeout
	}

	if interval <= 0 {
		interval = verify.DefaultInterval
	}

	deadline := time.Now().Add(i.Wait)

	for {
		node := i.ask(ctx, address, timeout)

		if i.OnNode != nil {
			i.notify.Lock()
			i.OnNode(node)
			i.notify.Unlock()
		}

		worst := verify.Worst(Diagnose([]Node{node}, i.Wanted))
		left := time.Until(deadline)

		if worst == "" || worst == verify.SeverityWarning || left <= 0 {
			return node
		}

		select {
		case <-time.After(min(interval, left)):
		case <-ctx.Done():
			return node
		}
	}
}

// ask puts all questions to a node at the same time.
func (i *Inspector) ask(ctx context.Context, address string, timeout time.Duration) Node {
	ctx, cancel := context.WithTimeout(client.WithNode(ctx, address), timeout)
	defer cancel()

	q := &questions{ctx: ctx, client: i.Client, api: talosapi.New(i.Client).Node(address), node: Node{Address: address}}
	start := time.Now()

	for question, ask := range map[Question]func() error{
		QuestionMachineType:   q.machineType,
		QuestionNodename:      q.nodename,
		QuestionExtensions:    q.extensions,
		QuestionConfigStatus:  q.configured,
		QuestionConfig:        q.document,
		QuestionServices:      q.services,
		QuestionAddresses:     q.addresses,
		QuestionNodeIP:        q.nodeIP,
		QuestionNodeIPSubnets: q.nodeIPSubnets,
		QuestionEtcdAddresses: q.etcdAddresses,
		QuestionEtcdSubnets:   q.etcdSubnets,
		QuestionVersion:       q.version,

		QuestionInstalledImage: q.image,
	} {
		q.running.Go(func() { q.note(question, ask()) })
	}

	q.running.Wait()

	if q.node.Failure == "" && !q.node.isIn() {
		q.log()
	}

	node := q.node.withoutSecrets()
	node.Took = verify.Duration(time.Since(start))
	slices.SortFunc(node.Unread, func(a, b Unread) int { return strings.Compare(string(a.Question), string(b.Question)) })

	if node.Failure != "" {
		return Node{Address: address, Took: node.Took, Failure: node.Failure}
	}

	return node
}
