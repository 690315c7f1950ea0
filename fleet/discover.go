package fleet

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/siderolabs/go-pointer"
	"go.yaml.in/yaml/v4"
	"golang.org/x/sync/errgroup"

	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

// Discovered is a node as it is found.
type Discovered struct {
	Node
	// LAN is the subnet of its address, not valid where it does not say.
	LAN netip.Prefix
	// Waiting tells that it is in maintenance mode.
	Waiting bool
	// Failure says why it could not be asked.
	Failure string
}

// Discover asks the nodes of a connection what they are: names, roles, addresses and what their configs say of the tailnet.
// It returns them in the order of their addresses in the connection.
func Discover(ctx context.Context, connection nodes.Connection) ([]Discovered, error) {
	api, err := talosapi.Connect(ctx, talosapi.Connection(connection))
	if err != nil {
		return nil, err
	}

	defer func() { _ = api.Close() }() // nothing is lost with it

	var (
		found = make([]Discovered, len(api.Nodes()))
		group errgroup.Group
	)

	group.SetLimit(DefaultParallel)

	for i, address := range api.Nodes() {
		group.Go(func() error {
			found[i] = discover(ctx, api, address)

			return nil
		})
	}

	_ = group.Wait() // what failed is in the nodes

	return found, nil
}

func discover(ctx context.Context, api *talosapi.Client, address string) Discovered {
	c := &converge{up: &Up{}, node: &Node{Address: address}, api: api, stage: func(*Node, string) {}}
	found := Discovered{Node: Node{Address: address}}

	state, waiting, err := c.look(ctx)
	if err != nil {
		found.Failure = err.Error()

		return found
	}

	found.Name = state.Hostname
	found.LAN = lanOf(state, address)

	if waiting != nil {
		_ = waiting.Close()
		found.Waiting = true

		return found
	}

	found.Settings = settingsOf(readTree(state.Persisted))

	if config, err := patch.ParseConfig(state.Persisted); err == nil {
		found.Settings.Role = pointer.To(config.Role().String())
	}

	if pointer.SafeDeref(found.Settings.Hostname) == found.Name {
		found.Settings.Hostname = nil
	}

	return found
}

// lanOf returns the subnet that an address of the node is in.
func lanOf(state *talosapi.State, address string) netip.Prefix {
	wanted, err := netip.ParseAddr(address)

	for _, prefix := range state.Prefixes {
		if err == nil && prefix.Addr() == wanted || err != nil && slices.Contains(state.NodeIPs, prefix.Addr()) {
			return prefix.Masked()
		}
	}

	return netip.Prefix{}
}

// settingsOf returns what a machine config says of the tailnet, as far as settings can say it: neither its role nor a key.
func settingsOf(config tree) patch.Settings {
	settings := patch.Settings{NodeIPSubnets: config.nodeIPSubnets()}

	if etcd := config.etcdSubnets(); !slices.Equal(etcd, settings.NodeIPSubnets) {
		settings.EtcdSubnets = etcd
	}

	environment := config.environment()

	for name, value := range environment {
		switch name {
		case "TS_HOSTNAME":
			settings.Hostname = &value
		case "TS_ROUTES":
			settings.AdvertiseRoutes = splitList(value)
		case "TS_ACCEPT_DNS":
			settings.AcceptDNS = trueOnly(value)
		case "TS_USERSPACE":
			settings.Userspace = trueOnly(value)
		case "TS_AUTH_ONCE":
			if value == "false" {
				settings.AuthOnce = pointer.To(false)
			}
		case "TS_STATE_DIR":
			if value != "/var/lib/tailscale" {
				settings.StateDir = &value
			}
		case "TS_EXTRA_ARGS":
			setArguments(&settings, value)
		case "TS_TAILSCALED_EXTRA_ARGS":
			if port, ok := strings.CutPrefix(value, "--port="); ok {
				if number, err := strconv.ParseUint(port, 10, 16); err == nil {
					settings.TailscaledPort = pointer.To(uint16(number))

					continue
				}
			}

			setVariable(&settings, name, value)
		default:
			if !secret.IsVariable(name) && !secret.Looks(value) {
				setVariable(&settings, name, value)
			}
		}
	}

	return settings
}

// kept returns the fields that the config of a node says something for before and after, and the settings do not.
func kept(before, after tree, settings patch.Settings) []string {
	had, has := settingsOf(before), settingsOf(after)

	var fields []string

	for _, choice := range patch.Choices() {
		_, wasThere := choice.Text(&had)
		_, isThere := choice.Text(&has)

		if _, given := choice.Text(&settings); wasThere && isThere && !given {
			fields = append(fields, choice.Field)
		}
	}

	return fields
}

func setVariable(settings *patch.Settings, name, value string) {
	if settings.Env == nil {
		settings.Env = map[string]string{}
	}

	settings.Env[name] = value
}

func trueOnly(value string) *bool {
	if value == "true" {
		return pointer.To(true)
	}

	return nil // the default
}

func splitList(text string) []string {
	if text == "" {
		return []string{}
	}

	return strings.Split(text, ",")
}

// setArguments reads the arguments of tailscale up into the settings that make them.
func setArguments(settings *patch.Settings, text string) {
	for argument := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(strings.TrimLeft(argument, "-"), "=")
		yes := pointer.To(value != "false")

		switch name {
		case "advertise-tags":
			settings.AdvertiseTags = splitList(value)
		case "accept-routes":
			settings.AcceptRoutes = trueOnly(value)
		case "login-server":
			settings.LoginServer = &value
		case "ssh":
			settings.SSH = yes
		case "advertise-exit-node":
			settings.AdvertiseExitNode = yes
		case "snat-subnet-routes":
			settings.SNATSubnetRoutes = yes
		case "shields-up":
			settings.ShieldsUp = yes
		case "reset":
		default:
			settings.ExtraArgs = append(settings.ExtraArgs, argument)
		}
	}
}

// FileOf writes the file that nodes stand in as they are found: what all of them say is at the top. The nodes that could
// not be asked are in comments.
func FileOf(found []Discovered) ([]byte, error) {
	defaults := common(found)

	top := &yaml.Node{Kind: yaml.MappingNode}
	if err := addSettings(top, defaults, 0); err != nil {
		return nil, err
	}

	text := SchemaComment + "\n\n"

	if defaults.AdvertiseTags == nil && defaults.LoginServer == nil {
		text += "# The tags of the devices, which a key of an OAuth client must have. With Headscale, its URL instead, and the tags at the key:\n" +
			"# authKey: {source: mint, tags: [tag:k8s]}\n#\n# advertiseTags: [tag:k8s]\n# loginServer: https://headscale.example.com\n\n"
	}

	if len(top.Content) > 0 {
		encoded, err := yaml.Marshal(top)
		if err != nil {
			return nil, err
		}

		text += string(encoded) + "\n"
	}

	text += "# A new key for each node that joins, by the API credentials in the environment; or env, file:PATH, none.\nauthKey: {source: mint}\n\nnodes:\n"

	names := map[string]bool{}

	for i, one := range found {
		name := one.Name
		if !label().MatchString(name) || names[name] {
			name = fmt.Sprintf("node-%d", i+1)
		}

		names[name] = true

		line, err := nodeLine(name, one, defaults)
		if err != nil {
			return nil, err
		}

		text += line
	}

	return []byte(text), nil
}

// nodeLine writes a node.
func nodeLine(name string, one Discovered, defaults patch.Settings) (string, error) {
	if one.Failure != "" {
		return fmt.Sprintf("  # %s: {address: %s} # could not be asked: %s\n", name, one.Address, one.Failure), nil
	}

	fields := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	fields.Content = append(fields.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "address"}, &yaml.Node{Kind: yaml.ScalarNode, Value: one.Address})

	if one.Waiting {
		return fmt.Sprintf("  %s: {address: %s, config: FILE.yaml} # is in maintenance mode: name the config to install it with, and its role\n", name, one.Address), nil
	}

	if err := addSettings(fields, without(one.Settings, defaults), yaml.FlowStyle); err != nil {
		return "", err
	}

	entry := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: name}, fields}}

	encoded, err := yaml.Marshal(entry)
	if err != nil {
		return "", err
	}

	return "  " + strings.ReplaceAll(strings.TrimSuffix(string(encoded), "\n"), "\n", "\n  ") + "\n", nil
}

// addSettings adds settings to a mapping, lists on one line.
func addSettings(to *yaml.Node, settings patch.Settings, style yaml.Style) error {
	var document yaml.Node

	encoded, err := yaml.Marshal(settings)
	if err == nil {
		err = yaml.Unmarshal(encoded, &document)
	}

	if err != nil || len(document.Content) == 0 {
		return err
	}

	for _, child := range document.Content[0].Content {
		if child.Kind != yaml.ScalarNode {
			child.Style = yaml.FlowStyle
		}

		to.Content = append(to.Content, child)
	}

	to.Style = style

	return nil
}

// common returns the settings that all nodes have which could be asked.
func common(found []Discovered) patch.Settings {
	var (
		shared patch.Settings
		lan    netip.Prefix
		first  = true
	)

	for _, one := range found {
		if one.Failure != "" || one.Waiting {
			continue
		}

		if first {
			shared, lan, first = one.Settings, one.LAN, false

			continue
		}

		shared = intersect(shared, one.Settings)

		if lan != one.LAN {
			lan = netip.Prefix{}
		}
	}

	shared.Role, shared.Hostname, shared.EtcdSubnets = nil, nil, nil

	if shared.NodeIPSubnets == nil && lan.IsValid() && !slices.ContainsFunc(found, func(d Discovered) bool { return d.Settings.NodeIPSubnets != nil }) {
		shared.NodeIPSubnets = []string{lan.String()}
	}

	return shared
}
