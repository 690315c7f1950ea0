package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// patchFlags are the flags of the commands that make a patch.
type patchFlags struct {
	talosVersion string
	role         string
	base         string
	replace      bool

	authKey           string
	authKeyMount      string
	allowClientSecret bool

	advertiseTags     string
	hostname          string
	advertiseRoutes   string
	acceptRoutes      bool
	acceptDNS         bool
	loginServer       string
	ssh               bool
	advertiseExitNode bool
	snatSubnetRoutes  bool
	shieldsUp         bool

	stateDir       string
	authOnce       bool
	userspace      bool
	tailscaledPort uint16
	extraArgs      []string
	env            []string

	nodeIPSubnets []string
	noNodeIP      bool
	etcdSubnets   []string

	key keyFlags
	nodeSettings

	redact bool
	dryRun bool
	output string
	quiet  bool
}

func (f *patchFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false

	flags.StringVar(&f.talosVersion, "talos-version", "",
		"`version` contract of the machine config, as given to talosctl gen config: "+contract.Oldest.String()+" to "+contract.Newest.String()+
			"\n(default: that of the machine config where there is one, else "+contract.Newest.String()+")")
	flags.StringVar(&f.role, "role", "",
		"`role` of the nodes, controlplane or worker: adds what only that role may carry\n(default: that of the machine config where there is one, else what every node may carry)")

	flags.StringVar(&f.authKey, "auth-key", "",
		"`source` of the auth key: "+authkey.SourceUsage+"\n(default: env if TS_AUTHKEY is set, mint if API credentials are)")
	flags.StringVar(&f.authKeyMount, "auth-key-mount", "",
		"put the key into a file of the service at `path`, so that no process on the node has it in its environment")
	flags.BoolVar(&f.allowClientSecret, "allow-client-secret", false,
		"accept an OAuth client secret as the key: long-lived, and on every node")
	f.key.bind(cmd)

	flags.StringVar(&f.advertiseTags, "advertise-tags", "", "tags to ask for, a comma-separated `list`; tag: is added where it is missing")
	flags.StringVar(&f.hostname, "hostname", "", "`name` of the node in the tailnet (default: the node's hostname)")
	flags.StringVar(&f.advertiseRoutes, "advertise-routes", "",
		"subnets to route to, a comma-separated `list`; an empty one withdraws routes advertised before")
	flags.BoolVar(&f.acceptRoutes, "accept-routes", false, "use the routes that other nodes advertise")
	flags.BoolVar(&f.acceptDNS, "accept-dns", false, "use the DNS configuration of the tailnet on the node")
	flags.StringVar(&f.loginServer, "login-server", "", "`URL` of the control server, for Headscale (default: Tailscale's)")
	flags.BoolVar(&f.ssh, "ssh", false, "run Tailscale's SSH server")
	flags.BoolVar(&f.advertiseExitNode, "advertise-exit-node", false, "offer the node as an exit node")
	flags.BoolVar(&f.snatSubnetRoutes, "snat-subnet-routes", true, "give traffic to advertised routes the node's address")
	flags.BoolVar(&f.shieldsUp, "shields-up", false, "refuse connections from the tailnet")

	flags.StringVar(&f.stateDir, "state-dir", "/var/lib/tailscale", "`path` where the node keeps its identity")
	flags.BoolVar(&f.authOnce, "auth-once", true, "log in only when there is no state yet")
	flags.BoolVar(&f.userspace, "userspace", false, "run without a network device; pods then do not reach the tailnet")
	flags.Uint16Var(&f.tailscaledPort, "tailscaled-port", 0, "UDP `port` of tailscaled, 41641 by custom (default: any)")
	flags.StringArrayVar(&f.extraArgs, "extra-arg", nil, "further `argument` of tailscale up, such as --operator=ops; can be repeated")
	flags.StringArrayVar(&f.env, "env", nil, "further environment variable of the service, `NAME=VALUE`; can be repeated")

	flags.StringArrayVar(&f.nodeIPSubnets, "node-ip-subnet", nil,
		"`CIDR` to take the kubelet's node IP from, in order of preference, or '!CIDR' to exclude; can be repeated\n"+
			"(default 0.0.0.0/0 without the tailnet)")
	flags.BoolVar(&f.noNodeIP, "no-node-ip", false, "leave the node IP to Talos")
	flags.StringArrayVar(&f.etcdSubnets, "etcd-subnet", nil,
		"`CIDR` to take etcd's addresses from, for control planes; can be repeated (default: the node IP subnets)")

	f.bindNode(cmd)

	flags.BoolVar(&f.redact, "redact", false, "print with the auth key redacted")
	flags.BoolVar(&f.dryRun, "dry-run", false, "do everything but call the Tailscale API")
	flags.StringVarP(&f.output, "output", "o", "", "write to `file`, readable by its owner only, instead of standard output")
	flags.BoolVar(&f.quiet, "quiet", false, "no notes on standard error")

	completeValues(cmd, "role", machine.TypeControlPlane.String(), machine.TypeWorker.String())
	completeValues(cmd, "auth-key", "env", "file:", "-", "mint", "none", "placeholder:")
}

// bindBase binds the flags for where the machine config is not what is patched.
func (f *patchFlags) bindBase(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.base, "base", "", "take contract, role and address families from this machine config `file`")
	cmd.Flags().BoolVar(&f.replace, "replace", false, "replace an earlier patch in the config instead of adding to it, on contract v1.14 or newer")
}

func completeValues(cmd *cobra.Command, flag string, values ...string) {
	complete := cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace)

	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // the flag does not exist: a mistake in the lines above
	}
}

// options turns the flags that were given into options, all but those that are for one role only. Its error joins all
// faults.
func (f *patchFlags) options(given *pflag.FlagSet) ([]patch.Option, error) {
	var faults []error

	options := []patch.Option{
		patch.WithAuthKeyMount(f.authKeyMount),
		patch.WithHostname(f.hostname),
		patch.WithAcceptRoutes(f.acceptRoutes),
		patch.WithAcceptDNS(f.acceptDNS),
		patch.WithLoginServer(f.loginServer),
		patch.WithStateDir(f.stateDir),
		patch.WithAuthOnce(f.authOnce),
		patch.WithUserspace(f.userspace),
		patch.WithExtraArgs(f.extraArgs...),
		patch.WithNodeIPSubnets(f.nodeIPSubnets...),
	}

	if f.talosVersion != "" {
		version, err := contract.Parse(f.talosVersion)
		if err != nil {
			faults = append(faults, usageError{err})
		}

		options = append(options, patch.WithContract(version))
	}

	if _, err := parseRole(f.role); err != nil {
		faults = append(faults, err)
	}

	if f.base != "" {
		config, err := os.ReadFile(f.base)
		if err != nil {
			faults = append(faults, fmt.Errorf("base: %w", err))
		}

		options = append(options, patch.WithBase(config))
	}

	if f.replace {
		options = append(options, patch.WithReplace())
	}

	for name, option := range map[string]patch.Option{
		"advertise-tags":      patch.WithAdvertiseTags(f.advertiseTags),
		"advertise-routes":    patch.WithAdvertiseRoutes(f.advertiseRoutes),
		"ssh":                 patch.WithSSH(f.ssh),
		"advertise-exit-node": patch.WithAdvertiseExitNode(f.advertiseExitNode),
		"snat-subnet-routes":  patch.WithSNATSubnetRoutes(f.snatSubnetRoutes),
		"shields-up":          patch.WithShieldsUp(f.shieldsUp),
		"tailscaled-port":     patch.WithTailscaledPort(f.tailscaledPort),
	} {
		if given.Changed(name) {
			options = append(options, option)
		}
	}

	if f.noNodeIP {
		options = append(options, patch.WithoutNodeIP())
	}

	for _, assignment := range f.env {
		option, err := parseAssignment(assignment)
		if err != nil {
			faults = append(faults, err)

			continue
		}

		options = append(options, option)
	}

	nodeOptions, err := f.nodeSettings.options()
	if err != nil {
		faults = append(faults, err)
	}

	return append(options, nodeOptions...), errors.Join(faults...)
}

// roleOptions turns the flags that are for one role only into options.
func (f *patchFlags) roleOptions() []patch.Option {
	options := []patch.Option{patch.WithEtcdSubnets(f.etcdSubnets...)}

	if role, err := parseRole(f.role); err == nil && role != machine.TypeUnknown {
		options = append(options, patch.WithRole(role))
	}

	return options
}

func parseRole(text string) (machine.Type, error) {
	switch text {
	case "":
		return machine.TypeUnknown, nil
	case machine.TypeControlPlane.String():
		return machine.TypeControlPlane, nil
	case machine.TypeWorker.String():
		return machine.TypeWorker, nil
	}

	return machine.TypeUnknown, usagef("role %s is unknown: write controlplane or worker", quote.Value(text))
}

func parseAssignment(text string) (patch.Option, error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return nil, usagef("variable %s has no value: write NAME=VALUE, or NAME= for an empty one", quote.Value(text))
	}

	return patch.WithEnv(name, value), nil
}
