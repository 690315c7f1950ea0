package patch

// nodeOptions is what was asked for besides the service and the node IP, unchecked.
type nodeOptions struct {
	staticHosts []namedHost

	magicDNSResolver bool
	nameservers      []string

	certSANs       []string
	magicDNSDomain string

	firewall       bool
	kubeSpanFilter bool
	installImage   string
}

// namedHost is a name and its addresses, as they were given.
type namedHost struct {
	name      string
	addresses []string
}

// WithStaticHost gives a name to addresses, such as those of a device in the tailnet, for the node and, from Talos 1.14 on,
// for pods. A name may be given several times, its addresses add up. Default: none.
//
// The node that answers a pod is the one that CoreDNS runs on, so every node needs the same static hosts.
// Give the IPv4 and the IPv6 address: the node asks its nameservers for the one that is missing, and where those deny the
// name, pods with musl (Alpine) take that for an answer to both. The addresses are a copy, and stale once the device is
// registered anew.
func WithStaticHost(name string, addresses ...string) Option {
	return func(o *options) { o.staticHosts = append(o.staticHosts, namedHost{name, addresses}) }
}

// WithMagicDNSResolver makes the node, and with it its pods, ask the resolver of the tailnet (100.100.100.100) first, and
// then the given nameservers, at least one. They replace those that the node gets by DHCP. Default: the nameservers are
// left alone.
//
// The resolver answers for names of the tailnet and fails for all others, so each of those costs one question more; while
// tailscaled does not run, at boot above all, it costs the two seconds after which Talos gives up on a nameserver.
func WithMagicDNSResolver(nameservers ...string) Option {
	return func(o *options) {
		o.magicDNSResolver = true
		o.nameservers = append(o.nameservers, nameservers...)
	}
}

// WithCertSANs adds names, or addresses, to the certificate of the Talos API, so that talosctl can call the node by them.
// The addresses of the node, those in the tailnet included, are there already. Default: none.
func WithCertSANs(names ...string) Option {
	return func(o *options) { o.certSANs = append(o.certSANs, names...) }
}

// WithMagicDNSDomain sets the domain of the tailnet, such as tail1234.ts.net, and so adds the names that the node has in
// MagicDNS to the certificate of the Talos API. It needs [WithHostname]. Default: none.
func WithMagicDNSDomain(domain string) Option {
	return func(o *options) { o.magicDNSDomain = domain }
}

// WithFirewall adds the rules that let the tailnet in where the ingress firewall of Talos blocks by default: tailscaled from
// anywhere, the Talos API and, for control planes, the Kubernetes API from the tailnet. It fixes the port of tailscaled,
// 41641 unless [WithTailscaledPort] says another. Default: no rules.
//
// It is for configs with a NetworkDefaultActionConfig that says ingress: block, and only for those. Without it Talos reads
// each rule the other way around: it closes the port to everyone else, so the LAN would lose both APIs.
func WithFirewall() Option {
	return func(o *options) { o.firewall = true }
}

// WithKubeSpanFilter keeps tailnet addresses out of the endpoints that the node advertises for KubeSpan, whose WireGuard
// would else run inside of that of the tailnet. Where KubeSpan is not enabled it does nothing. Default: not set.
func WithKubeSpanFilter() Option {
	return func(o *options) { o.kubeSpanFilter = true }
}

// WithInstallImage sets the image that Talos is installed from, with a tag or digest, which has to hold the tailscale
// system extension. Default: that of the config.
//
// From contract v1.14 on it is not in the patch, and a note says what to give to talosctl gen config instead: a patch of
// the UnattendedInstallConfig document that names only the image erases the disk that it is installed to.
func WithInstallImage(image string) Option {
	return func(o *options) { o.installImage = image }
}
