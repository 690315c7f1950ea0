package fleet

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/siderolabs/go-pointer"
	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

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

	names, addresses := map[string]bool{}, map[string]bool{}

	for i, one := range found {
		if same := sameAddress(one.Address); !addresses[same] { // the same node, called by two addresses
			addresses[same] = true
			name := one.label()

			if name == "" || names[name] {
				name = fmt.Sprintf("node-%d", i+1)
			}

			names[name] = true

			one.Settings = one.named(name)
			if hostname := strings.ToLower(pointer.SafeDeref(one.Settings.Hostname)); names[hostname] {
				one.Settings.Hostname = nil // two nodes call themselves so
			} else if hostname != "" {
				names[hostname] = true
			}

			line, err := nodeLine(name, one, defaults)
			if err != nil {
				return nil, err
			}

			text += line
		}
	}

	return []byte(text), nil
}

// label returns the hostname of a node as the name of one in a file, "" where it cannot be one.
func (d Discovered) label() string {
	name, _, _ := strings.Cut(strings.ToLower(d.Name), ".")
	if !label().MatchString(name) {
		return ""
	}

	return name
}

// nodeLine writes a node.
func nodeLine(name string, one Discovered, defaults patch.Settings) (string, error) {
	fields := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	add := func(name, value string) {
		fields.Content = append(fields.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name}, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value})
	}

	add("address", one.Address)

	comment := ""

	switch {
	case one.Failure != "":
		comment = "could not be asked: " + printable.Line(one.Failure)
	case one.Waiting:
		add("config", "FILE.yaml")

		comment = "is in maintenance mode: name the config to install it with, and its role"
	default:
		if err := addSettings(fields, without(one.Settings, defaults), yaml.FlowStyle); err != nil {
			return "", err
		}

		if len(one.Refused) > 0 {
			comment = "without what its config says for " + printable.Line(strings.Join(one.Refused, ", ")) + ", which is refused here"
		}
	}

	if comment != "" {
		comment = "  # " + comment + "\n"
	}

	entry := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: name}, fields}}

	encoded, err := yaml.Marshal(entry)
	if err != nil {
		return "", err
	}

	before := "  "
	if one.Failure != "" {
		before = "  # "
	}

	return comment + before + strings.ReplaceAll(strings.TrimSuffix(string(encoded), "\n"), "\n", "\n"+before) + "\n", nil
}

// named returns the settings of a node that is called so in the file, which keeps the hostname that it has in the tailnet.
func (d Discovered) named(name string) patch.Settings {
	settings := d.Settings
	if settings.Hostname == nil && d.Name != "" && containerboot.CheckHostname(d.Name) == "" {
		settings.Hostname = &d.Name
	}

	if settings.Hostname != nil && strings.EqualFold(*settings.Hostname, name) {
		settings.Hostname = nil
	}

	return settings
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
