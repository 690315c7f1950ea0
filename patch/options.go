package patch

import (
	"github.com/siderolabs/go-pointer"
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/nodeip"
)

// Option is a choice for [New]. Of an option given twice the last wins; lists accumulate.
type Option func(*options)

// options is what was asked for, unchecked.
type options struct {
	Settings

	// base is a machine config, and defaultSubnets what it says of the families of node IPs.
	base           *Config
	defaultSubnets nodeip.Subnets
	// baseBlocks tells that the base has a firewall that blocks what no rule lets through.
	baseBlocks bool

	replace       bool
	additionsOnly bool

	// target is the config that the patch goes into.
	target *Config
	// unset are the settings to take out of it, and noAuthKey tells that every way to log in is one of them.
	unset     []string
	noAuthKey bool

	// contents are the texts of config files by their paths, and serves tells that one is for TS_SERVE_CONFIG.
	contents map[string]string
	// readFile reads the files that settings name, nil for the default.
	readFile func(name string) ([]byte, error)
	serves   bool

	// placeholders are the texts that another tool replaces, as they were found.
	placeholders []string

	// contract and role are those of the settings or of the base.
	contract *config.VersionContract
	role     machine.Type

	// faults are those of options that the settings cannot hold.
	faults Faults
}

// WithSettings takes all choices from data, over those of options before it as [Settings.Merge] does.
func WithSettings(settings Settings) Option {
	return func(o *options) { o.Settings = o.Merge(settings) }
}

// WithContract sets the version contract of the machine config that the patch is for: the version that was given to
// talosctl gen config --talos-version, whatever the node itself runs. Default: the newest supported one, v1.14.
func WithContract(contract *config.VersionContract) Option {
	return func(o *options) {
		if contract == nil || *contract == (config.VersionContract{}) {
			o.TalosVersion = nil // machinery's words for the current one
		} else {
			o.TalosVersion = pointer.To(contract.String())
		}
	}
}

// WithTalosVersion is [WithContract] for a version as text, such as v1.14, 1.14 or v1.14.1.
func WithTalosVersion(version string) Option {
	return func(o *options) { o.TalosVersion = &version }
}

// WithRole sets the role of the nodes that the patch is for, controlplane or worker, and so adds what only that role may
// carry: for a control plane the addresses of etcd. The roles of [machine.Type] are texts by its String method. Default:
// none, the patch holds what every node may carry.
func WithRole(role string) Option {
	return func(o *options) { o.Role = &role }
}

// WithOnlyRoleSpecific leaves out of the patch what every node may carry, for a node that gets that from another patch:
// together they are the patch of its role. [New] fails for a role that adds nothing.
func WithOnlyRoleSpecific() Option {
	return func(o *options) { o.additionsOnly = true }
}

// WithAuthKey sets the key with which the node joins the tailnet (TS_AUTHKEY). Default: none, for nodes that kept their
// state.
func WithAuthKey(key authkey.Key) Option {
	return func(o *options) { o.AuthKey = key }
}

// WithoutAuthKey takes every way to log in out of the machine config that the patch is applied to, for a node that has joined.
// Default: without a key, [Patch.Apply] keeps what the config has.
func WithoutAuthKey() Option {
	return func(o *options) { o.noAuthKey = true }
}

// WithAuthKeyMount puts the key into a file of the service at path, an absolute path, and TS_AUTHKEY=file:path into its
// environment. Then no process on the node has the key in its environment or arguments. Default: the key itself is in
// the environment.
func WithAuthKeyMount(path string) Option {
	return func(o *options) { o.AuthKeyMount = &path }
}

// WithHostname sets the name of the node in the tailnet (TS_HOSTNAME), made of DNS labels. Default: the hostname of the
// node.
func WithHostname(name string) Option {
	return func(o *options) { o.Hostname = &name }
}

// WithAdvertiseTags sets the tags that the node asks for. Each may be a comma-separated list; "tag:" is added where it is
// missing. Default: those of the auth key.
func WithAdvertiseTags(tags ...string) Option {
	return func(o *options) { add(&o.AdvertiseTags, tags...) }
}

// WithAdvertiseRoutes sets the subnets that the node offers to route to (TS_ROUTES). Each may be a comma-separated list.
// Without any, or with empty ones only, TS_ROUTES is set but empty, which withdraws routes that the node advertised
// before. Default: TS_ROUTES is not set, and the node keeps the routes it has.
func WithAdvertiseRoutes(routes ...string) Option {
	return func(o *options) { add(&o.AdvertiseRoutes, routes...) }
}

// WithAcceptRoutes makes the node use the routes that other nodes advertise. Default: false, and always written out:
// with it, whoever may advertise routes in the tailnet may redirect the traffic of the node.
func WithAcceptRoutes(accept bool) Option {
	return func(o *options) { o.AcceptRoutes = &accept }
}

// WithAcceptDNS makes the node use the DNS configuration of the tailnet (TS_ACCEPT_DNS). Default: false; Talos manages
// the resolvers of the node itself.
func WithAcceptDNS(accept bool) Option {
	return func(o *options) { o.AcceptDNS = &accept }
}

// WithLoginServer sets the URL of the control server, for Headscale. Default: Tailscale's.
func WithLoginServer(url string) Option {
	return func(o *options) { o.LoginServer = &url }
}

// WithSSH makes the node run Tailscale's SSH server. Default: not set.
func WithSSH(run bool) Option {
	return func(o *options) { o.SSH = &run }
}

// WithAdvertiseExitNode offers the node as an exit node. Default: not set.
func WithAdvertiseExitNode(advertise bool) Option {
	return func(o *options) { o.AdvertiseExitNode = &advertise }
}

// WithSNATSubnetRoutes sets whether traffic to advertised routes gets the address of the node as its source. Default:
// not set, which means true to tailscale.
func WithSNATSubnetRoutes(snat bool) Option {
	return func(o *options) { o.SNATSubnetRoutes = &snat }
}

// WithShieldsUp makes the node refuse connections from the tailnet. Default: not set.
func WithShieldsUp(block bool) Option {
	return func(o *options) { o.ShieldsUp = &block }
}

// WithStateDir sets where the node keeps its identity (TS_STATE_DIR), an absolute path inside of the service. Default:
// /var/lib/tailscale, the one directory that the system extension can write to, and keeps across restarts.
func WithStateDir(path string) Option {
	return func(o *options) { o.StateDir = &path }
}

// WithAuthOnce makes the node log in only when it has no state yet (TS_AUTH_ONCE). Default: true. With false it logs in
// at every start, which needs a key that is still good then.
func WithAuthOnce(once bool) Option {
	return func(o *options) { o.AuthOnce = &once }
}

// WithUserspace runs tailscaled without a network device (TS_USERSPACE). Default: false. With true, pods do not reach the
// tailnet through the node.
func WithUserspace(userspace bool) Option {
	return func(o *options) { o.Userspace = &userspace }
}

// WithTailscaledPort fixes the UDP port that tailscaled listens on for WireGuard, 41641 being Tailscale's usual one; a
// firewall needs to know it. Default: not set, tailscaled picks one; 0 says so explicitly.
func WithTailscaledPort(port uint16) Option {
	return func(o *options) { o.TailscaledPort = &port }
}

// WithExtraArgs passes further arguments to tailscale up, at the end of TS_EXTRA_ARGS. Each is one argument, such as
// "--operator=ops". They are checked against the flags that tailscale up knows, and must not repeat one that is set
// already, since tailscale up refuses both.
func WithExtraArgs(args ...string) Option {
	return func(o *options) { add(&o.ExtraArgs, args...) }
}

// WithEnv sets a further environment variable of the service, after checks as strict as containerboot's own. An empty
// value is kept. Variables that another option sets are refused, and so are secrets: those go through [WithAuthKey], or
// into a file that the value names as "file:PATH".
func WithEnv(name, value string) Option {
	return func(o *options) {
		if _, twice := o.Env[name]; twice {
			o.faults.add(CodeDuplicate, "env", "variable %s is given twice: give it once", name)
		}

		put(&o.Env, name, value)
	}
}
