package talostest

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
	machinetype "github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/siderolabs/talos/pkg/machinery/resources/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/k8s"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Live is a node that acts on the config it is given, as far as the tailscale extension goes: it keeps a config on its disk
// and one in force, takes back what was tried, and its service logs in, fails, is started again and keeps its identity as
// the extension's programs do.
type Live struct {
	// Address is what it is called by, TailnetAddress what it gets in the tailnet.
	Address        string
	TailnetAddress string
	// Name is its hostname, and what Kubernetes knows it by, if it does.
	Name string
	// Virtual is an address that the control planes share, if they do.
	Virtual string
	// NoExtension tells that its image has no tailscale extension.
	NoExtension bool
	// Join takes a key, and fails with what the control server says of it. Default: every key is good once.
	Join func(key string) error
	// Takes is how long the service takes to log in, and to be started again after a failure. Default: 5 ms.
	Takes time.Duration
	// Latency is how long each of its answers takes.
	Latency time.Duration
	// OnApply, if set, is called before a config is taken: its error refuses it.
	OnApply func(mode machine.ApplyConfigurationRequest_Mode) error

	node *Node

	guard        sync.Mutex
	disk, active *liveConfig
	tried        *time.Timer
	applied      []Applied
	onDisk       []string
	identity     bool
	arguments    string
	usedKeys     map[string]bool
	events       []*machine.ServiceEvent
	state        string
	lines        []string
	document     string
	generation   int
}

// Applied is a config that a node was given.
type Applied struct {
	Mode   machine.ApplyConfigurationRequest_Mode
	Config string
}

// AddLive adds a node with a config on its disk, and starts it. A joined one has its identity already.
func (c *Cluster) AddLive(live *Live, disk []byte, joined bool) (*Live, error) {
	live.node = newNode()
	live.node.live = live
	live.node.Version = "v1.14.1"
	live.node.Latency = live.Latency
	live.identity = joined
	live.usedKeys = map[string]bool{}

	if live.Takes == 0 {
		live.Takes = 5 * time.Millisecond
	}

	if live.Join == nil {
		live.Join = live.goodOnce
	}

	if live.TailnetAddress == "" {
		live.TailnetAddress = "100.64.0.9"
	}

	c.put(live.Address, live.node)

	if !live.NoExtension {
		if err := live.node.Set(Extension("tailscale")); err != nil {
			return nil, err
		}
	}

	lan := live.Address
	if address, err := netip.ParseAddr(lan); err != nil || address.IsLoopback() {
		lan = "192.168.1.10"
	}

	nodeIP := k8s.NewNodeIP(k8s.NamespaceName, k8s.KubeletID)
	nodeIP.TypedSpec().Addresses = []netip.Addr{netip.MustParseAddr(lan)}

	rules := k8s.NewNodeIPConfig(k8s.NamespaceName, k8s.KubeletID)
	rules.TypedSpec().ExcludeSubnets = []string{"10.244.0.0/16", "10.96.0.0/12"}

	if live.Virtual != "" {
		rules.TypedSpec().ExcludeSubnets = append(rules.TypedSpec().ExcludeSubnets, live.Virtual)
	}

	if err := live.node.Set(Address("eth0", lan+"/24"), nodeIP, rules); err != nil {
		return nil, err
	}

	if live.Name != "" {
		name := k8s.NewNodename(k8s.NamespaceName, k8s.NodenameID)
		name.TypedSpec().Nodename = live.Name

		hostname := network.NewHostnameStatus(network.NamespaceName, network.HostnameID)
		hostname.TypedSpec().Hostname = live.Name

		if err := live.node.Set(name, hostname); err != nil {
			return nil, err
		}
	}

	live.guard.Lock()
	defer live.guard.Unlock()

	config, err := readConfig(disk)
	if err != nil {
		return nil, err
	}

	live.persist(config)

	// what the device has been logged in with is what its config says
	live.arguments = config.arguments

	return live, live.activate(config)
}

// Applied returns what the node was given, in order.
func (l *Live) Applied() []Applied {
	l.guard.Lock()
	defer l.guard.Unlock()

	return slices.Clone(l.applied)
}

// Disk returns the config on the node's disk. WasOnDisk reports whether a text was ever there.
func (l *Live) Disk() string {
	l.guard.Lock()
	defer l.guard.Unlock()

	return string(l.disk.text)
}

// WasOnDisk reports whether a text was ever in a config on the node's disk.
func (l *Live) WasOnDisk(text string) bool {
	l.guard.Lock()
	defer l.guard.Unlock()

	return slices.ContainsFunc(l.onDisk, func(config string) bool { return strings.Contains(config, text) })
}

// Active returns the config in force.
func (l *Live) Active() string {
	l.guard.Lock()
	defer l.guard.Unlock()

	return string(l.active.text)
}

// Arguments returns what the device was last logged in with.
func (l *Live) Arguments() string {
	l.guard.Lock()
	defer l.guard.Unlock()

	return l.arguments
}

// Reach makes a node answer at another address too, as a virtual address or a load balancer does.
func (c *Cluster) Reach(live *Live, address string) { c.put(address, live.node) }

// SetDown switches the node off or on.
func (c *Cluster) SetDown(address string, down bool) {
	c.guard.Lock()
	defer c.guard.Unlock()

	c.nodes[address].Down = down
}

// Restart starts the node again, with the config on its disk.
func (l *Live) Restart() error {
	l.guard.Lock()
	defer l.guard.Unlock()

	l.endTry()
	l.document = "of before" // so that the service begins anew

	return l.activate(l.disk)
}

func (l *Live) apply(request *machine.ApplyConfigurationRequest) error {
	if l.OnApply != nil {
		if err := l.OnApply(request.GetMode()); err != nil {
			return err
		}
	}

	config, err := readConfig(request.GetData())
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}

	l.guard.Lock()
	defer l.guard.Unlock()

	l.applied = append(l.applied, Applied{request.GetMode(), string(request.GetData())})

	if request.GetMode() != machine.ApplyConfigurationRequest_TRY {
		l.endTry()
		l.persist(config)

		return l.activate(config)
	}

	before := l.active // as Talos does, also where that is a config that is tried
	l.endTry()

	l.tried = time.AfterFunc(request.GetTryModeTimeout().AsDuration(), func() {
		l.guard.Lock()
		defer l.guard.Unlock()

		_ = l.activate(before)
	})

	return l.activate(config)
}

func (l *Live) endTry() {
	if l.tried != nil {
		l.tried.Stop()
		l.tried = nil
	}
}

func (l *Live) persist(config *liveConfig) {
	l.disk = config
	l.onDisk = append(l.onDisk, string(config.text))
}

// activate puts a config into force. The service is started again where its document changed.
func (l *Live) activate(now *liveConfig) error {
	l.active = now

	for id, held := range map[string]*liveConfig{config.ActiveID: l.active, config.PersistentID: l.disk} {
		if err := l.put(config.NewMachineConfigWithID(held.provider, id)); err != nil {
			return err
		}
	}

	if now.provider.Machine() != nil {
		if now.provider.Machine().Type() == machinetype.TypeUnknown {
			return nil
		}

		role := config.NewMachineType()
		role.SetMachineType(now.provider.Machine().Type())

		if err := l.put(role); err != nil {
			return err
		}
	}

	if now.document == l.document || l.NoExtension {
		return nil
	}

	l.document = now.document
	l.generation++

	if err := l.showDocument(now); err != nil {
		return err
	}

	if now.document == "" {
		l.event("Waiting", "Waiting for extension service config")
		l.setTailnetAddress(false)

		return nil
	}

	l.event("Starting", "Starting service")
	l.later(func() { l.start(now.key) })

	return nil
}

// showDocument makes the resources of the extension's document, or takes them away.
func (l *Live) showDocument(now *liveConfig) error {
	shown := runtime.NewExtensionServiceConfigStatusSpec(runtime.NamespaceName, "tailscale")

	if l.document == "" {
		_ = l.node.State.Destroy(context.Background(), shown.Metadata())      // they need not
		_ = l.node.State.Destroy(context.Background(), Document().Metadata()) // be there

		return nil
	}

	return errors.Join(l.put(shown), l.put(Document(now.environment...)))
}

// put makes a resource, or changes it where it is there already, so that nobody finds none meanwhile.
func (l *Live) put(r resource.Resource) error {
	ctx := context.Background()

	existing, err := l.node.State.Get(ctx, r.Metadata())
	if state.IsNotFoundError(err) {
		return l.node.State.Create(ctx, r)
	}

	if err != nil {
		return err
	}

	r.Metadata().SetVersion(existing.Metadata().Version())

	return l.node.State.Update(ctx, r)
}

// Joined reports whether the node has an address in the tailnet.
func (l *Live) Joined() bool {
	_, err := l.node.State.Get(context.Background(), Address("tailscale0", l.TailnetAddress+"/32").Metadata())

	return err == nil
}

// Try puts a config into force as somebody else would.
func (l *Live) Try(config []byte, atMost time.Duration) error {
	return l.apply(&machine.ApplyConfigurationRequest{
		Data: config, Mode: machine.ApplyConfigurationRequest_TRY, TryModeTimeout: durationpb.New(atMost),
	})
}
