package talosapi

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/client"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// Resources that are read as the YAML that the node sends beside the typed form. The packages of machinery that hold their
// types register much else at the start of the program, which every command would pay for.
var (
	activeConfig     = resource.NewMetadata("config", "MachineConfigs.config.talos.dev", "v1alpha1", resource.VersionUndefined)
	persistedConfig  = resource.NewMetadata("config", "MachineConfigs.config.talos.dev", "persistent", resource.VersionUndefined)
	extensionStatus  = resource.NewMetadata("runtime", "ExtensionStatuses.runtime.talos.dev", "", resource.VersionUndefined)
	addressStatus    = resource.NewMetadata("network", "AddressStatuses.net.talos.dev", "", resource.VersionUndefined)
	hostnameStatus   = resource.NewMetadata("network", "HostnameStatuses.net.talos.dev", "hostname", resource.VersionUndefined)
	kubeletNodeIP    = resource.NewMetadata("k8s", "NodeIPs.kubernetes.talos.dev", "kubelet", resource.VersionUndefined)
	kubeletNodeRules = resource.NewMetadata("k8s", "NodeIPConfigs.kubernetes.talos.dev", "kubelet", resource.VersionUndefined)
)

const (
	extension = "tailscale"
	// ServiceName is Talos's name of the extension's service.
	ServiceName = "ext-" + extension
	// tunnel is the network device that tailscaled makes.
	tunnel = "tailscale0"
)

// Node is a node that is called through a client.
type Node struct {
	machinery *client.Client
	address   string
	// insecure tells that the node is in maintenance mode and is called directly.
	insecure bool
}

// Node returns the node with an address, which the endpoints of the cluster pass calls on to.
func (c *Client) Node(address string) *Node { return &Node{machinery: c.machinery, address: address} }

// State is what a node says of itself.
type State struct {
	// Maintenance reports that the node waits for its first config.
	Maintenance bool
	// Version is that of Talos, with v. Container reports that Talos runs as a container, which installs nothing.
	Version   string
	Container bool
	// Extension is the version of the tailscale extension in the image, empty when it is not there.
	Extension string
	// Schematic is the ID of the image's schematic, empty where the image has none or does not say.
	Schematic string
	// Persisted is the config on the node's disk, Active the one in force: they differ while a config is tried. Both hold
	// secrets, and are nil in maintenance mode.
	Persisted, Active []byte
	// Hostname is the name of the node, empty where it has none yet.
	Hostname string
	// Prefixes are the addresses of the node outside of the tailnet with the lengths of their subnets.
	Prefixes []netip.Prefix
	// Addresses are those of the node outside of the tailnet, TailnetAddresses those of tailscale0.
	Addresses, TailnetAddresses []netip.Addr
	// NodeIPs are the addresses of the kubelet, Excluded what they may not be in: the subnets of pods and services.
	NodeIPs  []netip.Addr
	Excluded []string
	Service  Service
}

// Service is the state of the extension's service.
type Service struct {
	// State is Talos's word for it, empty where there is no such service.
	State string
	// Message is that of the last event.
	Message string
	// Last is when the last event was, by the clock of the node.
	Last time.Time
	// Failures are when the service failed, by the clock of the node, as far back as Talos remembers.
	Failures []time.Time
}

// Running reports whether the service runs.
func (s Service) Running() bool { return s.State == "Running" }

// LacksDocument reports whether the service waits for the document that configures it.
func (s Service) LacksDocument() bool { return s.Message == "Waiting for extension service config" }

// FailedSince counts the failures after a time of the node's clock.
func (s Service) FailedSince(when time.Time) int {
	count := 0

	for _, failure := range s.Failures {
		if failure.After(when) {
			count++
		}
	}

	return count
}

// Look reads everything of a [State]. It takes the role os:admin, except in maintenance mode.
func (n *Node) Look(ctx context.Context) (*State, error) {
	s := &State{Maintenance: n.insecure}

	return n.read(ctx, s, n.version, n.extensions, n.hostname, n.configs, n.addresses, n.nodeIPs, n.nodeRules, n.service)
}

// Watch reads what changes while a config takes effect: the service and the addresses.
func (n *Node) Watch(ctx context.Context) (*State, error) {
	s := &State{}

	return n.read(ctx, s, n.addresses, n.nodeIPs, n.nodeRules, n.service)
}

// read takes steps that fill in fields of their own, at the same time: a node far away takes its time for each answer.
func (n *Node) read(ctx context.Context, s *State, steps ...func(context.Context, *State) error) (*State, error) {
	var (
		calls  sync.WaitGroup
		failed = make([]error, len(steps))
	)

	for i, step := range steps {
		calls.Go(func() { failed[i] = step(ctx, s) })
	}

	calls.Wait()

	for _, err := range failed {
		if err != nil {
			return nil, n.failure(err)
		}
	}

	return s, nil
}

func (n *Node) in(ctx context.Context) context.Context {
	if n.insecure {
		return ctx
	}

	return client.WithNode(ctx, n.address)
}

func (n *Node) version(ctx context.Context, s *State) error {
	release, err := n.Release(ctx)
	s.Version, s.Container = release.Version, release.Container

	return err
}

func (n *Node) extensions(ctx context.Context, s *State) (err error) {
	s.Extension, s.Schematic, err = n.Extensions(ctx)

	return err
}

func (n *Node) hostname(ctx context.Context, s *State) error {
	var spec struct {
		Hostname string `yaml:"hostname"`
	}

	if err := n.get(ctx, hostnameStatus, &spec); status.Code(Unwrap(err)) == codes.Unavailable {
		return err
	}

	s.Hostname = spec.Hostname // nothing depends on it

	return nil
}

func (n *Node) configs(ctx context.Context, s *State) error {
	if s.Maintenance {
		return nil
	}

	var group errgroup.Group

	for metadata, text := range map[*resource.Metadata]*[]byte{&activeConfig: &s.Active, &persistedConfig: &s.Persisted} {
		group.Go(func() (err error) {
			*text, err = n.config(ctx, *metadata)

			return err
		})
	}

	if err := group.Wait(); err != nil {
		return err
	}

	if s.Active == nil {
		return errors.New("it has no machine config yet: it is starting, try again in a minute")
	}

	if s.Persisted == nil { // as Talos before 1.10 has it
		s.Persisted = s.Active
	}

	return nil
}

// config reads a machine config, nil where the node has none.
func (n *Node) config(ctx context.Context, metadata resource.Metadata) ([]byte, error) {
	answer, err := n.machinery.COSI.Get(n.in(ctx), metadata, state.WithGetUnmarshalOptions(state.WithSkipProtobufUnmarshal()))
	if IsAbsent(err) {
		return nil, nil
	}

	if err != nil {
		return nil, err
	}

	var config string
	if err := ReadSpec(answer, &config); err != nil {
		return nil, errors.New("its machine config cannot be read")
	}

	return []byte(config), nil
}

func (n *Node) addresses(ctx context.Context, s *State) (err error) {
	s.Prefixes, s.TailnetAddresses, err = n.Addresses(ctx)

	for _, prefix := range s.Prefixes {
		s.Addresses = append(s.Addresses, prefix.Addr())
	}

	slices.SortFunc(s.Addresses, netip.Addr.Compare)

	return err
}

func (n *Node) nodeIPs(ctx context.Context, s *State) (err error) {
	if !s.Maintenance {
		s.NodeIPs, err = n.NodeIPs(ctx)
	}

	return err
}

func (n *Node) nodeRules(ctx context.Context, s *State) (err error) {
	if !s.Maintenance {
		_, s.Excluded, err = n.NodeIPSubnets(ctx)
	}

	return err
}

func (n *Node) service(ctx context.Context, s *State) error {
	if s.Maintenance {
		return nil
	}

	info, err := n.Service(ctx)
	if info != nil {
		s.Service = serviceOf(info)
	}

	return err
}

// IsFailure reports whether an event of a service is that it failed and is started again. Talos tells it from an orderly
// restart by its words alone.
func IsFailure(event *machine.ServiceEvent) bool {
	return strings.Contains(event.GetMsg(), "going to restart forever")
}

// serviceOf reads the events of a service. Only "going to restart forever" is a failure: a service that is restarted in
// order, or waits, says otherwise.
func serviceOf(info *machine.ServiceInfo) Service {
	s := Service{State: info.GetState()}

	for _, event := range info.GetEvents().GetEvents() {
		s.Last, s.Message = event.GetTs().AsTime(), event.GetMsg()

		if IsFailure(event) {
			s.Failures = append(s.Failures, s.Last)
		}
	}

	if secret.Looks(s.Message) {
		s.Message = secret.Redacted
	}

	return s
}
