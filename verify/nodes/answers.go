package nodes

import (
	"context"
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
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

// questions are those to one node. Each sets fields of its own under the guard.
type questions struct {
	ctx     context.Context //nolint:containedctx // it lives as long as the questions
	client  *client.Client
	api     *talosapi.Node
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

	failure := talosapi.Failure(q.node.Address, err)

	switch {
	case status.Code(talosapi.Unwrap(err)) == codes.PermissionDenied:
		q.node.Unread = append(q.node.Unread, Unread{Question: question, Reason: ReasonRole})
	case talosapi.IsUnreachable(failure):
		q.node.Failure = failure.Error()
	default:
		q.node.Unread = append(q.node.Unread, Unread{Question: question, Reason: ReasonFailed, Detail: failure.Error()})
	}
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
	tailscale, schematic, err := q.api.Extensions(q.ctx)
	if err != nil {
		return err
	}

	return q.set(func(n *Node) { n.Extension, n.Schematic = tailscale, schematic })
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

func (q *questions) services() error {
	info, err := q.api.Service(q.ctx)
	if err != nil || info == nil {
		return err
	}

	return q.set(func(n *Node) { n.Service = serviceOf(info, time.Now()) })
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
func (q *questions) log() {
	if lines, err := q.api.Log(q.ctx); err == nil {
		q.node.Log = ReadLog(lines)
	}
}

func (q *questions) addresses() error {
	_, tailnet, err := q.api.Addresses(q.ctx)
	if err != nil {
		return err
	}

	return q.set(func(n *Node) { n.TailnetAddresses = tailnet })
}

func (q *questions) nodeIP() error {
	addresses, err := q.api.NodeIPs(q.ctx)
	if err != nil {
		return err
	}

	return q.set(func(n *Node) { n.NodeIPs = addresses })
}

func (q *questions) nodeIPSubnets() error {
	valid, excluded, err := q.api.NodeIPSubnets(q.ctx)
	if err != nil {
		return err
	}

	return q.set(func(n *Node) { n.NodeIPSubnets, n.ExcludedSubnets = valid, excluded })
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
