package nodes

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/client"
	machinetype "github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/siderolabs/talos/pkg/machinery/resources/etcd"
	"github.com/siderolabs/talos/pkg/machinery/resources/k8s"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

const (
	extension = "tailscale"
	service   = "ext-" + extension
	tunnel    = "tailscale0"
)

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

	q := &questions{ctx: ctx, client: i.Client, node: Node{Address: address}}
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
		q.log(address)
	}

	node := q.node
	node.Took = verify.Duration(time.Since(start))
	slices.SortFunc(node.Unread, func(a, b Unread) int { return strings.Compare(string(a.Question), string(b.Question)) })

	if node.Failure != "" {
		return Node{Address: address, Took: node.Took, Failure: node.Failure}
	}

	return node
}

// questions are those to one node. Each sets fields of its own under the guard.
type questions struct {
	ctx     context.Context //nolint:containedctx // it lives as long as the questions
	client  *client.Client
	running sync.WaitGroup

	guard sync.Mutex
	node  Node
}

// set changes the node.
func (q *questions) set(change func(*Node)) error {
	q.guard.Lock()
	defer q.guard.Unlock()

	change(&q.node)

	return nil
}

// note keeps what an answer's error says about the node.
func (q *questions) note(question Question, err error) {
	if err == nil || talosapi.IsAbsent(err) {
		return
	}

	q.guard.Lock()
	defer q.guard.Unlock()

	switch code := status.Code(talosapi.Unwrap(err)); code {
	case codes.PermissionDenied:
		q.node.Unread = append(q.node.Unread, Unread{Question: question, Reason: ReasonRole})
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Unauthenticated:
		q.node.Failure = failureOf(code, err)
	default:
		q.node.Unread = append(q.node.Unread, Unread{Question: question, Reason: ReasonFailed, Detail: firstLine(err)})
	}
}

func failureOf(code codes.Code, err error) string {
	switch code {
	case codes.DeadlineExceeded:
		return "the node does not answer in time"
	case codes.Canceled:
		return "the check was ended"
	case codes.Unauthenticated:
		return "the credentials of the talosconfig are refused"
	default:
		return "the node is not reached: " + firstLine(err)
	}
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(status.Convert(talosapi.Unwrap(err)).Message(), "\n")
	if secret.Looks(line) {
		return secret.Redacted
	}

	return fmt.Sprintf("%.200s", line)
}

func (q *questions) machineType() error {
	var role string

	answer, err := q.client.COSI.Get(q.ctx, machineType, state.WithGetUnmarshalOptions(state.WithSkipProtobufUnmarshal()))
	if err == nil {
		err = talosapi.ReadSpec(answer, &role)
	}

	if err != nil {
		return err
	}

	parsed, err := machinetype.ParseType(role)
	if err != nil {
		return err
	}

	return q.set(func(n *Node) { n.ControlPlane = parsed.IsControlPlane() })
}

func (q *questions) nodename() error {
	answer, err := safe.StateGetByID[*k8s.Nodename](q.ctx, q.client.COSI, k8s.NodenameID)
	if err != nil {
		return err
	}

	return q.set(func(n *Node) { n.Name = answer.TypedSpec().Nodename })
}

func (q *questions) extensions() error {
	answers, err := safe.StateListAll[*runtime.ExtensionStatus](q.ctx, q.client.COSI)
	if err != nil {
		return err
	}

	return q.set(func(n *Node) {
		for answer := range answers.All() {
			switch metadata := answer.TypedSpec().Metadata; metadata.Name {
			case extension:
				if n.Extension = metadata.Version; n.Extension == "" {
					n.Extension = "unknown"
				}
			case "schematic":
				n.Schematic = metadata.Version
			}
		}
	})
}

// configured looks at the status of the document, which every role may read.
func (q *questions) configured() error {
	if _, err := safe.StateGetByID[*runtime.ExtensionServiceConfigStatus](q.ctx, q.client.COSI, extension); err != nil {
		return err
	}

	return q.set(func(n *Node) { n.Configured = true })
}

func (q *questions) document() error {
	answer, err := safe.StateGetByID[*runtime.ExtensionServiceConfig](q.ctx, q.client.COSI, extension)
	if err != nil {
		return err
	}

	environment := redacted(answer.TypedSpec().Environment)

	return q.set(func(n *Node) { n.Configured, n.Environment = true, environment })
}

// redacted returns the environment without the key, and without anything else that looks like one.
func redacted(environment []string) []string {
	clean := make([]string, 0, len(environment))

	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		if isSecretVariable(name) && !strings.HasPrefix(value, "file:") || secret.Looks(value) {
			variable = name + "=" + authkey.Redacted
		}

		clean = append(clean, variable)
	}

	return clean
}

func isSecretVariable(name string) bool {
	return slices.Contains([]string{"TS_AUTHKEY", "TS_AUTH_KEY", "TS_CLIENT_SECRET", "TS_ID_TOKEN"}, name)
}

func (q *questions) services() error {
	answer, err := q.client.ServiceList(q.ctx)
	if err != nil {
		return err
	}

	return q.set(func(n *Node) {
		for _, message := range answer.GetMessages() {
			for _, info := range message.GetServices() {
				if info.GetId() == service {
					n.Service = serviceOf(info, time.Now())
				}
			}
		}
	})
}

// Talos's words for the states of a service that matter here.
const (
	running  = "Running"
	finished = "Finished"
)

// serviceOf reads the events of a service, which Talos keeps in their order.
func serviceOf(info *machine.ServiceInfo, now time.Time) *Service {
	s := &Service{State: info.GetState()}

	var since time.Time

	for i, event := range info.GetEvents().GetEvents() {
		if talosapi.IsFailure(event) {
			s.Restarts++
		}

		if i == 0 || event.GetState() != info.GetEvents().GetEvents()[i-1].GetState() {
			since = event.GetTs().AsTime()
		}

		s.Message = event.GetMsg()
	}

	if secret.Looks(s.Message) {
		s.Message = secret.Redacted
	}

	if !since.IsZero() {
		s.For = verify.Duration(max(0, now.Sub(since)))
	}

	return s
}

// isIn reports whether the service runs and the node has a tailnet address, so that there is nothing to read in its log.
func (n Node) isIn() bool {
	return n.Service == nil || n.Service.State == running && len(n.TailnetAddresses) > 0
}

// log reads what the service said when it did not log in. Without a log, the finding says where to look for it.
func (q *questions) log(address string) {
	if lines, err := talosapi.New(q.client).Node(address).Log(q.ctx); err == nil {
		q.node.Log = ReadLog(lines)
	}
}

func (q *questions) addresses() error {
	answers, err := q.client.COSI.List(q.ctx, addressStatuses, state.WithListUnmarshalOptions(state.WithSkipProtobufUnmarshal()))
	if err != nil {
		return err
	}

	var found []netip.Addr

	for _, answer := range answers.Items {
		var spec struct {
			Address  netip.Prefix `yaml:"address"`
			LinkName string       `yaml:"linkName"`
		}

		if err := talosapi.ReadSpec(answer, &spec); err != nil {
			return err
		}

		if spec.LinkName == tunnel && !spec.Address.Addr().IsLinkLocalUnicast() {
			found = append(found, spec.Address.Addr())
		}
	}

	slices.SortFunc(found, netip.Addr.Compare)

	return q.set(func(n *Node) { n.TailnetAddresses = found })
}

func (q *questions) nodeIP() error {
	answer, err := safe.StateGetByID[*k8s.NodeIP](q.ctx, q.client.COSI, k8s.KubeletID)
	if err != nil {
		return err
	}

	return q.set(func(n *Node) { n.NodeIPs = answer.TypedSpec().Addresses })
}

func (q *questions) nodeIPSubnets() error {
	answer, err := safe.StateGetByID[*k8s.NodeIPConfig](q.ctx, q.client.COSI, k8s.KubeletID)
	if err != nil {
		return err
	}

	spec := answer.TypedSpec()

	return q.set(func(n *Node) { n.NodeIPSubnets, n.ExcludedSubnets = spec.ValidSubnets, spec.ExcludeSubnets })
}

func (q *questions) etcdAddresses() error {
	answer, err := safe.StateGetByID[*etcd.Spec](q.ctx, q.client.COSI, etcd.SpecID)
	if err != nil {
		return err
	}

	return q.set(func(n *Node) { n.EtcdAddresses = answer.TypedSpec().AdvertisedAddresses })
}

func (q *questions) etcdSubnets() error {
	answer, err := safe.StateGetByID[*etcd.Config](q.ctx, q.client.COSI, etcd.ConfigID)
	if err != nil {
		return err
	}

	return q.set(func(n *Node) { n.EtcdSubnets = answer.TypedSpec().AdvertiseValidSubnets })
}
