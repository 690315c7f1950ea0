package report

import (
	"slices"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/devices"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

// Explanation says what a code means, in general. A [verify.Finding] says it of what was seen.
type Explanation struct {
	Code verify.Code
	// Cause is what is wrong, Evidence what it is told from, and Next the first thing to do.
	Cause, Evidence, Next string
}

// Explanations returns an explanation of each code that a report may have, by subject.
func Explanations() []Explanation { return slices.Clone(explanations) }

var explanations = []Explanation{
	// the way
	{verify.CodeTailnetUnreachable, "nothing of the tailnet is reached from the place", "no tailnet address answered, nor MagicDNS", "see whether the machine, or the pod's node, is on the tailnet"},
	{verify.CodePeerSilent, "one device is offline, or the policy does not allow it", "other devices, or MagicDNS, answered to the place", "its last seen in the admin console; the policy file"},
	{verify.CodeNoMasquerade, "pods' packets leave with the pod's address", "the pod gets no answer from an address that its node, or a machine, reaches", "let the CNI masquerade; see NetworkPolicies"},
	{verify.CodePortFiltered, "a firewall or the policy drops one port", "the address answered on another port", "allow the port in the policy file and on the device"},
	{verify.CodeRouteSilent, "a 4via6 route is not accepted, not approved, or its router is off", "the address lies in fd7a:115c:a1e0:b1a::/64, and is silent", "accept routes here; approve the route"},
	{verify.CodeAddressSilent, "an address outside of the tailnet does not answer", "it is in no range of tailnets", "check the address, its route and firewalls"},
	{verify.CodeRefused, "nothing listens on the port", "the host refused the connection", "see that the server runs and listens on that address"},
	{verify.CodeClosed, "the connection is closed right after it was opened", "a reset, or an end without an answer", "look at the server's log"},
	{verify.CodeProxy, "the proxy is not reached, or does not get through", "its own answer", "see that tailscaled runs and serves it"},
	{verify.CodeProxyUnused, "the tailnet is behind a proxy that was not used", "nothing of the tailnet answered, and the environment names a proxy", "`--proxy URL`"},
	{verify.CodeExhausted, "this machine has no file descriptor left", "the system's error, before anything was sent", "`ulimit -n`, `--parallel`"},
	// names
	{verify.CodeNamesNotBridged, "the tailnet is there, and its names do not resolve", "MagicDNS has the name, or an address of it answers; the resolver in use has it not", "`--static-host`, `--magicdns resolver`, or a stub zone"},
	{verify.CodeNameUnknown, "the tailnet has no device of the name", "MagicDNS answered NXDOMAIN or SERVFAIL", "write the full name of the admin console"},
	{verify.CodeMagicDNSSilent, "MagicDNS is not reached", "devices of the tailnet answered, 100.100.100.100 or fd7a:115c:a1e0::53 did not", "see firewalls for port 53; the other address"},
	{verify.CodeSplitDNS, "the tailnet has a server for the domain, which is not asked", "MagicDNS has a name that is none of the tailnet's, the resolver in use has it not", "a stub zone for the domain"},
	{verify.CodeNotMagicDNS, "MagicDNS was asked for a name that is not its own", "SERVFAIL for a name outside of ts.net", "ask the server that has the name"},
	{verify.CodeSearchDomain, "a search domain answers for a name of the tailnet", "the name with a final dot is answered otherwise", "ndots: 1, a final dot, or bridge the name"},
	{verify.CodeWildcard, "a server answers for every name", "a made-up name is answered alike", "bridge the name, or ask another server"},
	{verify.CodeFunnel, "the name leads to Funnel, through the internet", "a name under ts.net has a public address", "let MagicDNS answer; bridge the name"},
	{verify.CodeNotTailnet, "another server answers for a name of the tailnet", "the address is in no range of tailnets", "write the full name"},
	{verify.CodeStaleCopy, "a copy of the name holds an old address", "MagicDNS has another one", "change the copy: static hosts, hostAliases"},
	{verify.CodeNXDomain, "the name does not exist", "NXDOMAIN of the server", "check the spelling; ask MagicDNS"},
	{verify.CodeServFail, "the server could not find out", "SERVFAIL of the server", "try again; ask another server"},
	{verify.CodeDNSFailed, "the server does not answer, refuses, or answers nonsense", "its answer, or none", "see that it runs, and port 53"},
	{verify.CodeNoAddress, "the name has no address", "an answer without A and AAAA", "look where its alias leads"},
	// TLS
	{verify.CodeSNINeeded, "the server was asked for by its address", "its certificate is for names alone", "`https://NAME:PORT/@IP`"},
	{verify.CodeSNIUnknown, "the server does not know the name", "the alert unrecognized_name", "write the name that it expects"},
	{verify.CodeTLSName, "the certificate is for other names", "the names in it", "ask for one of them, or have it issued anew"},
	{verify.CodeTLSUntrusted, "the authority is not trusted here, or the certificate is self-signed", "the chain ends at an authority that is not among the trusted ones", "see the chain; then `--ca-file`"},
	{verify.CodeTLSExpired, "a certificate of the chain is out of its time", "its validity, wherever in the chain", "renew that one; compare clocks"},
	{verify.CodeTLSExpires, "a certificate is due for renewal (warning)", "less than a third of its lifetime is left, or a day", "renew it"},
	{verify.CodeTLSChain, "an intermediate is missing, or the order is wrong", "nothing that was sent or is trusted issued the server's own", "let the server send its full chain"},
	{verify.CodeTLSUsage, "a certificate may not be used for servers", "its extended key usage", "issue it anew with serverAuth"},
	{verify.CodeTLSConstraints, "a constraint of an authority rules the chain out", "basic constraints, path length, names, signature", "issue the chain anew"},
	{verify.CodeTLSVersion, "the server speaks old versions of TLS, or old ciphers (then a warning)", "the version and cipher, or the alert protocol_version", "let it speak TLS 1.2 and 1.3"},
	{verify.CodeTLSMalformed, "what the server sends in the handshake is refused here", "the certificate cannot be read, its key is too short or too long, or the protocol is broken", "issue the certificate anew"},
	{verify.CodeTLSNoCertificate, "the device has no certificate for its name", "the alert internal_error for a name under ts.net", "switch HTTPS certificates on for the tailnet"},
	{verify.CodeTLSServerError, "the server failed in the handshake", "the alert internal_error", "look at its log"},
	{verify.CodeTLSStalled, "long packets are lost, or the server is stuck", "connections open, the handshake gets no answer; a short first message gets one", "compare `tcp://` and the node; MTU 1280"},
	{verify.CodeTLSRefused, "the server refuses the handshake", "another alert", "look at its log"},
	{verify.CodeNotTLS, "what listens does not speak TLS", "its first bytes", "check the port"},
	{verify.CodeNoHTTP, "what listens does not speak HTTP", "its answer over TLS, or the alert no_application_protocol", "check the port"},
	{verify.CodeClientCertificate, "the server wants a certificate of the client (warning)", "it asked for one, and ended without", "nothing, where that is meant"},
	{verify.CodeAPIName, "the certificate of an API lacks the name", "the names in it", "`--cert-san`, `--api-server-san`"},
	{verify.CodeHTTPStatus, "the server is reached and has an error, or is the wrong one (warning)", "a status from 500, or 421", "look at the server"},
	{verify.CodeCanceled, "the check was ended (unknown)", "an interrupt", "run it again"},
	{verify.CodeFailed, "any other failure", "the error", "try it by hand"},
	// nodes
	{nodes.CodeUnreachable, "the Talos API of the node was not asked (unknown)", "the error of the call", "`talosctl version --nodes NODE`"},
	{nodes.CodeUnread, "something could not be read (unknown)", "PermissionDenied, or the error", "a talosconfig with os:admin"},
	{nodes.CodeExtensionMissing, "the extension is not in the image", "the list of extensions", "an image with it, then upgrade"},
	{nodes.CodeConfigMissing, "there is no document for the extension", "ExtensionServiceConfig", "apply the patch"},
	{nodes.CodeServiceDown, "the service does not run", "its state", "`talosctl service ext-tailscale`"},
	{nodes.CodeServiceLooping, "the service fails and is started over and over", "events of failure, and the cause in its log", "what the log says: key, tags, flags, server, clock, state"},
	{nodes.CodeServiceRestarted, "the service runs, and failed before (warning)", "events of failure, and less than ten minutes since", "nothing, where it was repaired"},
	{nodes.CodeUserspace, "tailscaled runs without a network device", "TS_USERSPACE", "leave `--userspace` out"},
	{nodes.CodeNoTailnetAddress, "the node is not in the tailnet", "tailscale0 has no address; the log", "what the log says"},
	{nodes.CodeNodeIPTailnet, "Kubernetes knows the node by its tailnet address", "the kubelet's node IP", "apply the patch; register anew"},
	{nodes.CodeNodeIPOutside, "the node IP is outside of the wanted subnets", "node IP and validSubnets", "apply the patch"},
	{nodes.CodeNodeIPMissing, "the kubelet has no address and does not start", "no node IP", "`--node-ip-subnet` of the LAN"},
	{nodes.CodeEtcdTailnet, "etcd advertises a tailnet address", "etcd's spec", "the patch with `--role controlplane`"},
	{nodes.CodeEtcdOutside, "etcd advertises another address than wanted", "etcd's spec and subnets", "the patch with `--role controlplane`"},
	{nodes.CodeOverlap, "pods or services have addresses of the tailnet", "the excluded subnets", "other CIDRs"},
	{nodes.CodeImageLosesExtension, "an upgrade loses the extension (warning)", "the image that the config installs", "`talosctl upgrade --image` as printed"},
	{nodes.CodeSchematicUnknown, "the config installs a schematic whose contents are not known (warning)", "the IDs of both schematics", "see what is in it"},
	{nodes.CodeDrift, "the node's configuration is not the wanted one", "the document against `--patch`", "apply the patch again"},
	{nodes.CodeDoubled, "a patch was applied twice", "variables that are there twice", "remove the document, apply once"},
	// devices
	{devices.CodeMissing, "the tailnet has no device for the node", "the list of devices", "see whether it logged in"},
	{devices.CodeDuplicate, "the node registered more than once", "devices NAME and NAME-1", "delete those that are not the node's"},
	{devices.CodeUnauthorized, "the device waits for approval", "the device", "approve it"},
	{devices.CodeExpired, "the device's login expired", "its key expiry", "a tag, or no expiry"},
	{devices.CodeExpires, "the device's login will expire (warning)", "its key expiry", "a tag, or no expiry"},
	{devices.CodeTags, "the device lacks tags", "its tags", "set them"},
	{devices.CodeOffline, "the device is not connected", "its last seen", "look at the node"},
	{devices.CodeEphemeral, "the device is deleted when it goes offline", "the device", "join with a key that is not ephemeral"},
	{devices.CodeRoutesPending, "a route waits for approval", "advertised and enabled routes", "approve it"},
	{devices.CodeRoutesMissing, "a route is not advertised", "advertised routes", "see the node's service"},
	{devices.CodeRoutesUnexpected, "a route is there that nobody asked for", "advertised routes", "withdraw it"},
	{devices.CodeUnusedKeys, "an auth key was minted and not used (warning)", "the list of keys", "`key revoke ID`"},
	{devices.CodeUnread, "the keys could not be read (unknown)", "the API's answer", "the scope auth_keys:read"},
}
