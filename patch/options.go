package patch

import (
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/nodeip"
)

// Option is a choice for [New]. An option given twice counts as it was given last, but lists add up.
type Option func(*options)

// options is what was asked for, unchecked. A nil pointer was not asked for.
type options struct {
	contract *config.VersionContract
	role     machine.Type
	roleSet  bool

	key      authkey.Key
	keyMount string

	hostname     string
	tags         []string
	routes       *[]string
	acceptRoutes bool
	acceptDNS    bool
	loginServer  string
	stateDir     string
	authOnce     bool
	userspace    bool
	port         *uint16

	upBools     map[string]bool // boolean flags of tailscale up, by name
	extraArgs   []string
	environment []variable

	// base is a machine config, and defaultSubnets what it says of the families of node IPs.
	base           []byte
	defaultSubnets nodeip.Subnets
	// baseBlocks tells that the base has a firewall that blocks what no rule lets through.
	baseBlocks bool

	replace       bool
	additionsOnly bool

	nodeIPSubnets []string
	noNodeIP      bool
	etcdSubnets   []string

	nodeOptions
}

func defaultOptions() *options {
	return &options{
		stateDir:       stateDir,
		authOnce:       true,
		upBools:        map[string]bool{},
		defaultSubnets: nodeip.Default(),
	}
}

// WithContract sets the version contract of the machine config that the patch is for: the version that was given to
// talosctl gen config --talos-version, whatever the node itself runs. Default: the newest supported one, v1.14.
func WithContract(contract *config.VersionContract) Option {
	return func(o *options) { o.contract = contract }
}

// WithRole sets the role of the nodes that the patch is for, and so adds what only that role may carry: for
// [machine.TypeControlPlane] (and the older [machine.TypeInit]) the addresses of etcd. Default: [machine.TypeUnknown],
// the patch holds what every node may carry.
func WithRole(role machine.Type) Option {
	return func(o *options) { o.role, o.roleSet = role, true }
}

// WithRoleAdditionsOnly leaves out of the patch what every node may carry, for a node that gets that from another patch:
// together they are the patch of its role. [New] fails for a role that adds nothing.
func WithRoleAdditionsOnly() Option {
	return func(o *options) { o.additionsOnly = true }
}

// WithAuthKey sets the key with which the node joins the tailnet (TS_AUTHKEY). Default: none, for nodes that kept their
// state.
func WithAuthKey(key authkey.Key) Option {
	return func(o *options) { o.key = key }
}

// WithAuthKeyMount puts the key into a file of the service at path, an absolute path, and TS_AUTHKEY=file:path into its
// environment. Then no process on the node has the key in its environment or arguments. Default: the key itself is in
// the environment.
func WithAuthKeyMount(path string) Option {
	return func(o *options) { o.keyMount = path }
}

// WithHostname sets the name of the node in the tailnet (TS_HOSTNAME), made of DNS labels. Default: the hostname of the
// node.
func WithHostname(name string) Option {
	return func(o *options) { o.hostname = name }
}

// WithAdvertiseTags sets the tags that the node asks for. Each may be a comma-separated list; "tag:" is added where it is
// missing. Default: those of the auth key.
func WithAdvertiseTags(tags ...string) Option {
	return func(o *options) { o.tags = append(o.tags, tags...) }
}

// WithAdvertiseRoutes sets the subnets that the node offers to route to (TS_ROUTES). Each may be a comma-separated list.
// Without any, or with empty ones only, TS_ROUTES is set but empty, which withdraws routes that the node advertised
// before. Default: TS_ROUTES is not set, and the node keeps the routes it has.
func WithAdvertiseRoutes(routes ...string) Option {
	return func(o *options) {
		if o.routes == nil {
			o.routes = &[]string{}
		}

		*o.routes = append(*o.routes, routes...)
	}
}

// WithAcceptRoutes makes the node use the routes that other nodes advertise. Default: false, and always written out:
// with it, whoever may advertise routes in the tailnet may redirect the traffic of the node.
func WithAcceptRoutes(accept bool) Option {
	return func(o *options) { o.acceptRoutes = accept }
}

// WithAcceptDNS makes the node use the DNS configuration of the tailnet (TS_ACCEPT_DNS). Default: false; Talos manages
// the resolvers of the node itself.
func WithAcceptDNS(accept bool) Option {
	return func(o *options) { o.acceptDNS = accept }
}

// WithLoginServer sets the URL of the control server, for Headscale. Default: Tailscale's.
func WithLoginServer(url string) Option {
	return func(o *options) { o.loginServer = url }
}

// WithSSH makes the node run Tailscale's SSH server. Default: not set.
func WithSSH(run bool) Option { return withUpBool("ssh", run) }

// WithAdvertiseExitNode offers the node as an exit node. Default: not set.
func WithAdvertiseExitNode(advertise bool) Option {
	return withUpBool("advertise-exit-node", advertise)
}

// WithSNATSubnetRoutes sets whether traffic to advertised routes gets the address of the node as its source. Default:
// not set, which means true to tailscale.
func WithSNATSubnetRoutes(snat bool) Option { return withUpBool("snat-subnet-routes", snat) }

// WithShieldsUp makes the node refuse connections from the tailnet. Default: not set.
func WithShieldsUp(block bool) Option { return withUpBool("shields-up", block) }

func withUpBool(name string, value bool) Option {
	return func(o *options) { o.upBools[name] = value }
}

// WithStateDir sets where the node keeps its identity (TS_STATE_DIR), an absolute path inside of the service. Default:
// /var/lib/tailscale, the one directory that the system extension keeps across restarts.
func WithStateDir(path string) Option {
	return func(o *options) { o.stateDir = path }
}

// WithAuthOnce makes the node log in only when it has no state yet (TS_AUTH_ONCE). Default: true. With false it logs in
// at every start, which needs a key that is still good then.
func WithAuthOnce(once bool) Option {
	return func(o *options) { o.authOnce = once }
}

// WithUserspace runs tailscaled without a network device (TS_USERSPACE). Default: false. With true, pods do not reach the
// tailnet through the node.
func WithUserspace(userspace bool) Option {
	return func(o *options) { o.userspace = userspace }
}

// WithTailscaledPort fixes the UDP port that tailscaled listens on for WireGuard, 41641 being Tailscale's usual one; a
// firewall needs to know it. Default: not set, tailscaled picks one; 0 says so explicitly.
func WithTailscaledPort(port uint16) Option {
	return func(o *options) { o.port = &port }
}

// WithExtraArgs passes further arguments to tailscale up, at the end of TS_EXTRA_ARGS. Each is one argument, such as
// "--operator=ops". They are checked against the flags that tailscale up knows, and must not repeat one that is set
// already, since tailscale up refuses both.
func WithExtraArgs(args ...string) Option {
	return func(o *options) { o.extraArgs = append(o.extraArgs, args...) }
}

// WithEnv sets a further environment variable of the service, after checks as strict as containerboot's own. An empty
// value is kept. Variables that another option sets are refused, and so are secrets: those go through [WithAuthKey], or
// into a file that the value names as "file:PATH".
func WithEnv(name, value string) Option {
	return func(o *options) { o.environment = append(o.environment, variable{name, value}) }
}

// WithNodeIPSubnets sets the subnets that the kubelet's node IP may come from, as [nodeip.Parse] reads them. Default:
// [nodeip.Default].
func WithNodeIPSubnets(subnets ...string) Option {
	return func(o *options) { o.nodeIPSubnets = append(o.nodeIPSubnets, subnets...) }
}

// WithoutNodeIP leaves the node IP to Talos.
func WithoutNodeIP() Option {
	return func(o *options) { o.noNodeIP = true }
}

// WithEtcdSubnets sets the subnets that the addresses of etcd may come from, as [nodeip.Parse] reads them. It needs the
// role of a control plane. Default: the subnets of the node IP.
func WithEtcdSubnets(subnets ...string) Option {
	return func(o *options) { o.etcdSubnets = append(o.etcdSubnets, subnets...) }
}
