package patch

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/siderolabs/go-pointer"
	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"

	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime/extensions"
	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
)

// mostConfigBytes is how large a machine config may be.
const mostConfigBytes = 64 << 20

// Config is a machine config, read once. It does not change and may be used concurrently.
type Config struct {
	file   *machineconfig.File
	loaded *loadedConfig
	role   machine.Type
	// line is that before its first, where it stood in another text.
	line       int
	isResource bool
}

// ParseConfig reads the machine config of a node: what talosctl gen config writes or what talosctl get machineconfig -o
// yaml prints.
//
// Its error is a [*ConfigError].
func ParseConfig(text []byte) (*Config, error) {
	c, err := parseConfig(text, 0)
	if err != nil {
		return nil, err
	}

	return c, nil
}

func parseConfig(text []byte, line int) (*Config, error) {
	if len(text) > mostConfigBytes {
		return nil, &ConfigError{Code: ConfigTooLarge, Reason: fmt.Sprintf("it is larger than %d MiB", mostConfigBytes>>20)}
	}

	c := &Config{line: line}

	// Talos expands aliases, so that a text that may have any is looked at first
	var reading chan talosReading
	if !machineconfig.HasAlias(text) {
		reading = make(chan talosReading, 1)
		go func() { reading <- readByTalos(text) }()
	}

	file, err := parseFile(text)
	if err != nil {
		return nil, c.shift(err)
	}

	inner, before, err := unwrapResource(file)

	switch {
	case err != nil:
		return nil, c.shift(err)
	case inner != nil && line == 0:
		wrapped, err := parseConfig(inner, before)
		if err == nil {
			wrapped.isResource = true
		}

		return wrapped, err
	}

	if err := checkForeign(file); err != nil {
		return nil, c.shift(err)
	}

	c.file = file

	var read talosReading
	if reading != nil {
		read = <-reading
	} else {
		read = readByTalos(text)
	}

	if c.loaded, err = loadConfig(file, read); err != nil {
		return nil, c.shift(explainSyntax(text, err))
	}

	c.role, err = c.findRole()

	return c, c.shift(err)
}

// shift makes lines count from the top of the text that the config stood in.
func (c *Config) shift(err error) error {
	if fault, ok := errors.AsType[*ConfigError](err); ok && fault.Line > 0 {
		fault.Line += c.line
	}

	return err
}

// Bytes returns the text of the config: what was parsed, or the part of it that is the config.
func (c *Config) Bytes() []byte { return slices.Clone(c.file.Text()) }

// IsResource reports whether the config stood in what talosctl get machineconfig prints. A result of it is the config alone.
func (c *Config) IsResource() bool { return c.isResource }

// Role returns the role of the node: controlplane or worker.
func (c *Config) Role() machine.Type { return c.role }

// ServiceCIDRs returns the service subnets of the cluster, from which Talos derives the address families of a node.
func (c *Config) ServiceCIDRs() []netip.Prefix {
	if network := c.loaded.provider.K8sNetworkConfig(); network != nil {
		return network.ServiceCIDRs()
	}

	return nil
}

// PodCIDRs returns the pod subnets of the cluster.
func (c *Config) PodCIDRs() []netip.Prefix {
	if network := c.loaded.provider.K8sNetworkConfig(); network != nil {
		return network.PodCIDRs()
	}

	return nil
}

// Provider returns what Talos reads of the config: everything but documents of kinds that this version of its machinery
// does not know. It is not to be changed.
func (c *Config) Provider() coreconfig.Provider { return c.loaded.provider }

// UnknownKinds returns the kinds of documents that this version of Talos's machinery does not know, so that a newer Talos
// does, in their order.
func (c *Config) UnknownKinds() []string { return slices.Clone(c.loaded.unknown) }

func (c *Config) findRole() (machine.Type, error) {
	d := c.file.Find(machineconfig.Legacy, "")

	legacy := c.loaded.provider.RawV1Alpha1()
	if d == nil || legacy == nil || legacy.MachineConfig == nil {
		return machine.TypeUnknown, &ConfigError{Code: ConfigRole, Reason: noMachine}
	}

	role := legacy.MachineConfig.Type()
	if role == machine.TypeUnknown || legacy.MachineConfig.MachineType == "" { // which Talos takes for a worker
		return role, &ConfigError{Code: ConfigRole, Path: "machine.type", Line: d.KeyLine("machine"), Reason: "is missing, so this is a part of a config or a patch: give the whole config of a node, which says controlplane or worker there"}
	}

	return role, nil
}

// service returns the document of the tailscale service, or nil.
func (c *Config) service() *extensions.ServiceConfigV1Alpha1 {
	d := c.file.Find(extensions.ServiceConfigKind, ServiceName)
	if d == nil {
		return nil
	}

	typed, _ := c.loaded.documents[d].(*extensions.ServiceConfigV1Alpha1)

	return typed
}

// HasLogin reports whether the config has a way to log in to a tailnet for the node: a key, or credentials. Whether the key was
// used already it cannot tell.
func (c *Config) HasLogin() bool {
	document := c.service()

	return document != nil && containerboot.ParseEnvironment(document.ServiceEnvironment).HasLogin()
}

// validSubnets returns the subnets of the node IP. It is for a nil config too.
func (c *Config) validSubnets() []string {
	if c == nil {
		return nil
	}

	if node := c.loaded.provider.K8sNodeConfig(); node != nil && node.NodeIP() != nil {
		return node.NodeIP().ValidSubnets()
	}

	return nil
}

// etcdSubnets returns the subnets that etcd advertises addresses of. It is for a nil config too.
func (c *Config) etcdSubnets() []string {
	if c == nil {
		return nil
	}

	legacy := pointer.SafeDeref(c.loaded.provider.RawV1Alpha1())

	etcd := pointer.SafeDeref(pointer.SafeDeref(legacy.ClusterConfig).EtcdConfig)

	return etcd.AdvertisedSubnets()
}

// kubeletPicksNodeIP reports whether an extra argument of the kubelet names the node IP. It is for a nil config too.
func (c *Config) kubeletPicksNodeIP() bool {
	if c == nil {
		return false
	}

	kubelet := c.loaded.provider.K8sKubeletConfig()
	if kubelet == nil {
		return false
	}

	_, ok := kubelet.ExtraArgs()["node-ip"]

	return ok
}

// kubernetesPort returns the port of the Kubernetes API on a control plane. It is for a nil config too.
func (c *Config) kubernetesPort() uint16 {
	if c != nil {
		if server := c.loaded.provider.K8sAPIServerConfig(); server != nil && server.APIPort() > 0 && server.APIPort() <= math.MaxUint16 {
			return uint16(server.APIPort()) //nolint:gosec // it is in range
		}
	}

	return kubernetesPort
}

// oldAuthEnv is where versions of the extension before Talos 1.7 read their environment.
const oldAuthEnv = "/var/etc/tailscale/auth.env"

// oldVariables returns the names of the variables in the file of an old version of the extension, and whether there is one.
func (c *Config) oldVariables() (names []string, ok bool) {
	legacy := pointer.SafeDeref(c.loaded.provider.RawV1Alpha1())

	for _, file := range pointer.SafeDeref(legacy.MachineConfig).MachineFiles {
		if file == nil || file.FilePath != oldAuthEnv {
			continue
		}

		for line := range strings.Lines(file.FileContent) {
			name, _, isVariable := strings.Cut(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "export ")), "=")
			if isVariable && variableName().MatchString(name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}

		return names, true
	}

	return nil, false
}

// hasLegacyNameservers reports whether the config has anything of the resolver in its older form.
func (c *Config) hasLegacyNameservers() bool {
	legacy := pointer.SafeDeref(c.loaded.provider.RawV1Alpha1())
	network := pointer.SafeDeref(pointer.SafeDeref(legacy.MachineConfig).MachineNetwork)

	return network.NameServers != nil || network.Searches != nil || pointer.SafeDeref(network.NetworkDisableSearchDomain)
}

// hasLegacyKubeSpan reports whether the config has KubeSpan in its older form.
func (c *Config) hasLegacyKubeSpan() bool {
	legacy := pointer.SafeDeref(c.loaded.provider.RawV1Alpha1())

	return pointer.SafeDeref(pointer.SafeDeref(legacy.MachineConfig).MachineNetwork).NetworkKubeSpan != nil
}
