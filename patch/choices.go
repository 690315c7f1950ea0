package patch

import (
	"strconv"
	"strings"

	"github.com/siderolabs/go-pointer"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

// Choice describes a field of [Settings]: all that a command line, a form or a schema has to know of it.
type Choice struct {
	// Name is the choice as a flag, such as advertise-tags, and Field as a field in YAML and JSON, such as advertiseTags.
	Name, Field string
	// Help says in one line what it is for. The word in `backquotes` is what its value is called.
	Help string
	// Default is what counts where it is not given, as text, "" where there is nothing to name.
	Default string
	// Values are all that it takes, nil where they are no short list.
	Values []string

	of func(*Settings) any
}

// Kind is the form of a choice's value.
type Kind string

// The kinds. Those of lists and maps can be given several times and add up.
const (
	KindString Kind = "string"
	KindBool   Kind = "bool"
	KindPort   Kind = "port"
	// KindList is a list of texts.
	KindList Kind = "list"
	// KindMap is texts by name, as a flag NAME=VALUE.
	KindMap Kind = "map"
	// KindMapOfLists is lists of texts by name, as a flag NAME=VALUE,VALUE.
	KindMapOfLists Kind = "map-of-lists"
)

// Choices returns a description of each field of [Settings] but the key, in the order in which people read of them.
func Choices() []Choice {
	return []Choice{
		{
			Name: "talos-version", Field: "talosVersion", of: func(s *Settings) any { return &s.TalosVersion },
			Help: "`version` contract of the machine config, as given to talosctl gen config: " + contract.Oldest.String() + " to " + contract.Newest.String() +
				"\n(default: that of the machine config where there is one, else " + contract.Newest.String() + ")",
		},
		{
			Name: "role", Field: "role", of: func(s *Settings) any { return &s.Role },
			Help: "`role` of the nodes, controlplane or worker: adds what only that role may carry\n" +
				"(default: that of the machine config where there is one, else what every node may carry)",
			Values: []string{machine.TypeControlPlane.String(), machine.TypeWorker.String()},
		},
		{
			Name: "auth-key-mount", Field: "authKeyMount", of: func(s *Settings) any { return &s.AuthKeyMount },
			Help: "put the key into a file of the service at `path`, so that no process on the node has it in its environment",
		},
		{
			Name: "advertise-tags", Field: "advertiseTags", of: func(s *Settings) any { return &s.AdvertiseTags },
			Help: "tags to ask for, a comma-separated `list`; tag: is added where it is missing; can be repeated",
		},
		{
			Name: "hostname", Field: "hostname", of: func(s *Settings) any { return &s.Hostname },
			Help: "`name` of the node in the tailnet (default: the node's hostname)",
		},
		{
			Name: "advertise-routes", Field: "advertiseRoutes", of: func(s *Settings) any { return &s.AdvertiseRoutes },
			Help: "subnets to route to, a comma-separated `list`; an empty one withdraws routes advertised before; can be repeated",
		},
		{
			Name: "accept-routes", Field: "acceptRoutes", of: func(s *Settings) any { return &s.AcceptRoutes },
			Help: "use the routes that other nodes advertise", Default: "false",
		},
		{
			Name: "accept-dns", Field: "acceptDNS", of: func(s *Settings) any { return &s.AcceptDNS },
			Help: "use the DNS configuration of the tailnet on the node", Default: "false",
		},
		{
			Name: "login-server", Field: "loginServer", of: func(s *Settings) any { return &s.LoginServer },
			Help: "`URL` of the control server, for Headscale (default: Tailscale's)",
		},
		{
			Name: "ssh", Field: "ssh", of: func(s *Settings) any { return &s.SSH },
			Help: "run Tailscale's SSH server", Default: "false",
		},
		{
			Name: "advertise-exit-node", Field: "advertiseExitNode", of: func(s *Settings) any { return &s.AdvertiseExitNode },
			Help: "offer the node as an exit node", Default: "false",
		},
		{
			Name: "snat-subnet-routes", Field: "snatSubnetRoutes", of: func(s *Settings) any { return &s.SNATSubnetRoutes },
			Help: "give traffic to advertised routes the node's address", Default: "true",
		},
		{
			Name: "shields-up", Field: "shieldsUp", of: func(s *Settings) any { return &s.ShieldsUp },
			Help: "refuse connections from the tailnet", Default: "false",
		},
		{
			Name: "state-dir", Field: "stateDir", of: func(s *Settings) any { return &s.StateDir },
			Help: "`path` where the node keeps its identity", Default: stateDir,
		},
		{
			Name: "auth-once", Field: "authOnce", of: func(s *Settings) any { return &s.AuthOnce },
			Help: "log in only when there is no state yet", Default: "true",
		},
		{
			Name: "userspace", Field: "userspace", of: func(s *Settings) any { return &s.Userspace },
			Help: "run without a network device; pods then do not reach the tailnet", Default: "false",
		},
		{
			Name: "tailscaled-port", Field: "tailscaledPort", of: func(s *Settings) any { return &s.TailscaledPort },
			Help: "UDP `port` of tailscaled, 41641 by custom (default: any)",
		},
		{
			Name: "extra-arg", Field: "extraArgs", of: func(s *Settings) any { return &s.ExtraArgs },
			Help: "further `argument` of tailscale up, such as --operator=ops; can be repeated",
		},
		{
			Name: "env", Field: "env", of: func(s *Settings) any { return &s.Env },
			Help: "further environment variable of the service, `NAME=VALUE`; can be repeated",
		},
		{
			Name: "config-file", Field: "configFiles", of: func(s *Settings) any { return &s.ConfigFiles },
			Help: "put the text of a file on this machine into a file of the service, `MOUNT=FILE`; can be repeated",
		},
		{
			Name: "serve-config", Field: "serveConfig", of: func(s *Settings) any { return &s.ServeConfig },
			Help: "what the node serves in the tailnet: a serve configuration in JSON in this `file` (TS_SERVE_CONFIG)",
		},
		{
			Name: "node-ip-subnet", Field: "nodeIPSubnets", of: func(s *Settings) any { return &s.NodeIPSubnets },
			Help: "`CIDR` to take the kubelet's node IP from, in order of preference, or '!CIDR' to exclude; can be repeated\n" +
				"(default 0.0.0.0/0 without the tailnet)",
		},
		{
			Name: "no-node-ip", Field: "noNodeIP", of: func(s *Settings) any { return &s.NoNodeIP },
			Help: "leave the node IP to Talos; one that the machine config sets stays (--unset --node-ip-subnet takes it out)", Default: "false",
		},
		{
			Name: "etcd-subnet", Field: "etcdSubnets", of: func(s *Settings) any { return &s.EtcdSubnets },
			Help: "`CIDR` to take etcd's addresses from, for control planes; can be repeated (default: the node IP subnets)",
		},
		{
			Name: "static-host", Field: "staticHosts", of: func(s *Settings) any { return &s.StaticHosts },
			Help: "name for the node and, from Talos 1.14 on, for its pods, `NAME=IP[,IP]`: give IPv4 and IPv6; can be repeated",
		},
		{
			Name: "magicdns", Field: "magicDNS", of: func(s *Settings) any { return &s.MagicDNS },
			Help:   "`way` to all names of the tailnet: resolver asks MagicDNS (100.100.100.100) first, then each --nameserver",
			Values: []string{magicDNSByResolver},
		},
		{
			Name: "nameserver", Field: "nameservers", of: func(s *Settings) any { return &s.Nameservers },
			Help: "with --magicdns: `IP` of a nameserver for all other names, in place of DHCP's; can be repeated",
		},
		{
			Name: "cert-san", Field: "certSANs", of: func(s *Settings) any { return &s.CertSANs },
			Help: "further `name` of the node in the certificate of the Talos API; can be repeated",
		},
		{
			Name: "magicdns-domain", Field: "magicDNSDomain", of: func(s *Settings) any { return &s.MagicDNSDomain },
			Help: "`domain` of the tailnet, such as tail1234.ts.net: puts the node's names in MagicDNS, made of --hostname, into these certificates",
		},
		{
			Name: "api-server-san", Field: "apiServerSANs", of: func(s *Settings) any { return &s.APIServerSANs },
			Help: "further `name` of a control plane in the certificate of the Kubernetes API; can be repeated",
		},
		{
			Name: "firewall", Field: "firewall", of: func(s *Settings) any { return &s.Firewall },
			Help: "let the tailnet through a firewall that blocks by default; only for configs with NetworkDefaultActionConfig ingress: block", Default: "false",
		},
		{
			Name: "kubespan-filter", Field: "kubeSpanFilter", of: func(s *Settings) any { return &s.KubeSpanFilter },
			Help: "keep tailnet addresses out of KubeSpan's endpoints", Default: "false",
		},
		{
			Name: "install-image", Field: "installImage", of: func(s *Settings) any { return &s.InstallImage },
			Help: "`image` to install, as schematic --image prints it; on v1.14 a note says where it goes instead",
		},
	}
}

// noSettings are those whose fields tell the kinds of choices. Nothing writes to them.
var noSettings Settings

// Kind returns the form of its value.
func (c Choice) Kind() Kind {
	switch c.of(&noSettings).(type) {
	case **bool:
		return KindBool
	case **uint16:
		return KindPort
	case *[]string:
		return KindList
	case *map[string]string:
		return KindMap
	case *map[string][]string:
		return KindMapOfLists
	default:
		return KindString
	}
}

// Repeatable reports whether it can be given several times, each time adding to what was given.
func (c Choice) Repeatable() bool {
	return c.Kind() == KindList || c.Kind() == KindMap || c.Kind() == KindMapOfLists
}

// Text returns what is given for it in the settings, as text, and whether it is given.
func (c Choice) Text(s *Settings) (text string, given bool) {
	switch field := c.of(s).(type) {
	case **string:
		return pointer.SafeDeref(*field), *field != nil
	case **bool:
		return strconv.FormatBool(pointer.SafeDeref(*field)), *field != nil
	case **uint16:
		return strconv.Itoa(int(pointer.SafeDeref(*field))), *field != nil
	case *[]string:
		return strings.Join(*field, ","), *field != nil
	case *map[string]string:
		return strings.Join(sortedKeys(*field), ","), *field != nil
	case *map[string][]string:
		return strings.Join(sortedKeys(*field), ","), *field != nil
	}

	return "", false
}

// Set gives it in the settings, as a flag or a variable says it. Of what can be repeated, it adds to what is there. It
// fails, with a [Fault], for text that is not of its kind; whether the value makes sense [New] checks.
func (c Choice) Set(s *Settings, text string) error {
	switch field := c.of(s).(type) {
	case **string:
		*field = &text
	case **bool:
		value, err := strconv.ParseBool(text)
		if err != nil {
			return c.fault("%s is not a boolean: write true or false", quote.Value(text))
		}

		*field = &value
	case **uint16:
		value, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return c.fault("%s is not a port: write a number from 0 to 65535", quote.Value(text))
		}

		*field = pointer.To(uint16(value))
	case *[]string:
		add(field, text)
	case *map[string]string:
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			form := valueName(c.Help)
			before, _, _ := strings.Cut(form, "=")

			return c.fault("%s has no value: write %s, or %s= for an empty one", quote.Value(text), form, before)
		}

		if _, twice := (*field)[name]; twice {
			return Fault{CodeDuplicate, c.Name, "`" + c.Name + "`: " + quote.Value(name) + " is given twice: give it once"}
		}

		put(field, name, value)
	case *map[string][]string:
		name, values, ok := strings.Cut(text, "=")
		if !ok {
			return c.fault("%s has no address: write NAME=IP, or NAME=IP,IP for IPv4 and IPv6", quote.Value(text))
		}

		put(field, name, append((*field)[name], strings.Split(values, ",")...))
	}

	return nil
}

// valueName returns the word of a help text that stands in backquotes.
func valueName(help string) string {
	_, rest, _ := strings.Cut(help, "`")
	name, _, _ := strings.Cut(rest, "`")

	return name
}

func (c Choice) fault(format string, args ...any) Fault {
	var faults Faults

	faults.add(CodeInvalid, c.Name, "`"+c.Name+"` "+format, args...)

	return faults[0]
}

// add adds to a list, which is given by it even when there is nothing to add. The array of a list that a caller holds too
// stays as it is.
func add(list *[]string, more ...string) {
	*list = append(append([]string{}, *list...), more...)
}

// put sets an entry of a map that nobody else holds.
func put[V any](entries *map[string]V, name string, value V) {
	changed := map[string]V{name: value}

	for key, old := range *entries {
		if key != name {
			changed[key] = old
		}
	}

	*entries = changed
}
