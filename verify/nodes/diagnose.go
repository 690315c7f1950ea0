package nodes

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
	"github.com/talos-tsbridge/talos-tsbridge/nodeip"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

// The codes of [Diagnose].
const (
	// CodeUnreachable: the Talos API of the node could not be asked.
	CodeUnreachable verify.Code = "node-unreachable"
	// CodeUnread: something could not be read, mostly because the role of the client does not allow it.
	CodeUnread verify.Code = "node-unread"
	// CodeExtensionMissing: the tailscale extension is not in the image.
	CodeExtensionMissing verify.Code = "extension-missing"
	// CodeConfigMissing: there is no ExtensionServiceConfig document for it.
	CodeConfigMissing verify.Code = "extension-config-missing"
	// CodeServiceDown: its service does not run.
	CodeServiceDown verify.Code = "service-down"
	// CodeServiceLooping: its service is started over and over.
	CodeServiceLooping verify.Code = "service-looping"
	// CodeServiceRestarted: its service runs, and failed before.
	CodeServiceRestarted verify.Code = "service-restarted"
	// CodeUserspace: tailscaled runs without a network device.
	CodeUserspace verify.Code = "userspace"
	// CodeNoTailnetAddress: tailscale0 has no address of a tailnet.
	CodeNoTailnetAddress verify.Code = "no-tailnet-address"
	// CodeNodeIPTailnet: the kubelet registers the node with its tailnet address.
	CodeNodeIPTailnet verify.Code = "node-ip-tailnet"
	// CodeNodeIPOutside: the kubelet's node IP is in none of the wanted subnets.
	CodeNodeIPOutside verify.Code = "node-ip-outside"
	// CodeNodeIPMissing: there is no node IP, so the kubelet is not started.
	CodeNodeIPMissing verify.Code = "node-ip-missing"
	// CodeEtcdTailnet: etcd advertises a tailnet address.
	CodeEtcdTailnet verify.Code = "etcd-tailnet"
	// CodeEtcdOutside: etcd advertises an address in none of the wanted subnets.
	CodeEtcdOutside verify.Code = "etcd-outside"
	// CodeOverlap: the cluster uses addresses of the tailnet for its pods or services.
	CodeOverlap verify.Code = "cidr-overlap"
	// CodeImageLosesExtension: the image that the config installs does not have the extension, so that an upgrade loses it.
	CodeImageLosesExtension verify.Code = "image-loses-extension"
	// CodeSchematicUnknown: the config installs another schematic than the node runs, and what is in it is not known.
	CodeSchematicUnknown verify.Code = "schematic-unknown"
	// CodeDrift: the configuration on the node is not the wanted one.
	CodeDrift verify.Code = "config-drift"
	// CodeDoubled: variables are there twice, so a patch was applied twice.
	CodeDoubled verify.Code = "config-doubled"
)

// Diagnose says what is wrong with the nodes: a function of what they say alone. With wanted it also tells what differs from
// that; without, the node IP is held against the subnets that the node itself was given.
func Diagnose(nodes []Node, wanted *Wanted) []verify.Finding {
	var findings []verify.Finding

	for _, node := range nodes {
		d := diagnosis{Node: node, wanted: wanted}
		d.run()

		findings = append(findings, d.findings...)
	}

	return verify.Merge(findings)
}

// diagnosis is that of one node.
type diagnosis struct {
	Node

	wanted   *Wanted
	findings []verify.Finding
}

func (d *diagnosis) add(severity verify.Severity, code verify.Code, cause string, next ...string) {
	d.findings = append(d.findings, verify.Finding{Code: code, Severity: severity, Subjects: []string{d.label()}, Cause: cause, Next: next})
}

func (d *diagnosis) fault(code verify.Code, cause string, next ...string) {
	d.add(verify.SeverityFault, code, cause, next...)
}

func (d *diagnosis) run() {
	if d.Failure != "" {
		d.add(verify.SeverityUnknown, CodeUnreachable, d.Failure,
			"check the node's address, and the endpoints of the talosconfig: talosctl version --nodes "+printable.Word(d.Address))

		return
	}

	d.couldNotRead()

	d.extension()
	d.nodeIP()
	d.etcd()
	d.config()
	d.upgrade()
}

// couldNotRead says what the questions without an answer take.
func (d *diagnosis) couldNotRead() {
	var refused []string

	for _, unread := range d.Unread {
		if unread.Reason == ReasonRole {
			refused = append(refused, unread.Question.about())

			continue
		}

		d.add(verify.SeverityUnknown, CodeUnread, "could not read "+unread.Question.about()+": "+unread.Detail,
			"ask again, and see whether talosctl can read it: talosctl get --nodes "+printable.Word(d.Address))
	}

	if len(refused) > 0 {
		d.add(verify.SeverityUnknown, CodeUnread, "could not read "+strings.Join(refused, ", ")+": the role of the talosconfig may not",
			"use a talosconfig with the role os:admin: the document with the auth key, and the machine config, are read with no other")
	}
}

// extension reports the first step that fails on the way from the image to a tailnet address; later ones fail because of
// it.
func (d *diagnosis) extension() {
	switch {
	case d.Extension == "" && !d.unread(QuestionExtensions):
		d.fault(CodeExtensionMissing, "the tailscale extension is not in the image that the node booted",
			"make an image with the extension, from what the node runs: talos-tsbridge schematic --image --from-node "+printable.Word(d.Address),
			"upgrade to it: talosctl upgrade --nodes "+printable.Word(d.Address)+" --image IMAGE; without --image, talosctl takes one without extensions",
			"the document alone does nothing without it")
	case !d.Configured && !d.unread(QuestionConfigStatus):
		d.fault(CodeConfigMissing, "there is no ExtensionServiceConfig document named tailscale, and the extension waits for one",
			"patch the node's machine config with what talos-tsbridge prints: talosctl patch mc --patch @/dev/stdin")
	case !d.service():
	case isUserspace(d.Node):
		d.fault(CodeUserspace, "tailscaled runs with TS_USERSPACE="+lastValues(d.Environment)["TS_USERSPACE"]+", in userspace mode without a network device: pods do not reach the tailnet through the node",
			"leave --userspace out of the patch")
	case !d.hasAddress() && !d.unread(QuestionAddresses):
		d.notIn(CodeNoTailnetAddress, "the service runs, and tailscale0 has no address of a tailnet", []string{
			"look at what it says: talosctl logs ext-tailscale --nodes " + printable.Word(d.Address),
			"look for the node in the admin console, and approve it there if it waits; else give it a new auth key",
		})
	}
}

// isUserspace reports whether tailscaled runs without a network device. The extension says that it does not; containerboot
// takes a value that is not a boolean for its own default, which is that it does.
func isUserspace(n Node) bool {
	value, set := lastValues(n.Environment)["TS_USERSPACE"]
	if !set {
		return false
	}

	userspace, err := strconv.ParseBool(value)

	return err != nil || userspace
}

func (d *diagnosis) hasAddress() bool {
	return slices.ContainsFunc(d.TailnetAddresses, tailaddr.Contains)
}

// notIn reports that a node does not get into the tailnet, with what its log says about it, or else where to look.
func (d *diagnosis) notIn(code verify.Code, state string, look []string) {
	dir, outside := stateDirOutside(d.Node)

	switch {
	case outside && (d.Log == nil || d.Log.Cause == LoginOther || d.Log.Cause == LoginStateDir):
		d.fault(code, state+": TS_STATE_DIR is "+dir+", which tailscaled cannot write to on Talos: only /var/lib/tailscale is writable in the extension",
			keepStateDir)
	case d.Log != nil:
		cause, next := d.Log.Explain(d.Node)
		d.fault(code, state+": "+cause, next...)
	default:
		d.fault(code, state+": the node is not logged in, or waits for approval", look...)
	}
}

// service reports what is wrong with the service, and returns whether it runs.
func (d *diagnosis) service() bool {
	if d.Service == nil {
		if !d.unread(QuestionServices) {
			d.fault(CodeServiceDown, "Talos has no service ext-tailscale, although the extension is in the image",
				"look at what it says: talosctl dmesg; the extension and Talos must be of versions that go together")
		}

		return false
	}

	// a service that failed before, or was restarted for a new document, and now has an address is well
	const settled = 2 * time.Minute

	s := *d.Service
	isUp := s.State == running && (d.hasAddress() || d.unread(QuestionAddresses))

	switch {
	case s.State == finished:
		d.fault(CodeServiceDown, "the service ext-tailscale was stopped: "+s.Message, "start it: talosctl service ext-tailscale start --nodes "+printable.Word(d.Address))

		return false
	case s.Restarts > 0 && !isUp && (s.State != running || time.Duration(s.For) < settled):
		d.notIn(CodeServiceLooping, fmt.Sprintf("the service ext-tailscale fails and is started over and over (%s)", times(s.Restarts)), []string{
			"look at why it ends, a few lines before the last ones: talosctl logs ext-tailscale --nodes " + printable.Word(d.Address),
			"most common: the auth key is used, expired or revoked, or a flag in TS_EXTRA_ARGS is refused",
		})

		return false
	case s.State != running && d.Log != nil:
		d.notIn(CodeServiceDown, "the service ext-tailscale does not run, its state is "+s.State, nil)

		return false
	case s.State != running:
		d.fault(CodeServiceDown, fmt.Sprintf("the service ext-tailscale does not run, its state is %s: %s", s.State, s.Message),
			"look at what it waits for: talosctl service ext-tailscale; it takes the network, the time and its document")

		return false
	case s.Restarts > 0 && isUp && time.Duration(s.For) < past:
		d.add(verify.SeverityWarning, CodeServiceRestarted, "the service ext-tailscale runs, and failed before: "+times(s.Restarts),
			"nothing, where it was repaired; else look at why: talosctl logs ext-tailscale --nodes "+printable.Word(d.Address))
	}

	return true
}

// past is how long a service that failed before has to run until that is of no interest: a login that fails does so within a minute,
// and Talos remembers it until the next boot.
const past = 10 * time.Minute

func times(n int) string {
	if n == 1 {
		return "once"
	}

	return fmt.Sprintf("%d times", n)
}

func (d *diagnosis) nodeIP() {
	wanted := d.NodeIPSubnets
	if d.wanted != nil && d.wanted.NodeIPSubnets != nil {
		wanted = d.wanted.NodeIPSubnets
	}

	inTailnet, outside := d.misplaced(d.NodeIPs, wanted)

	switch {
	case len(d.NodeIPs) == 0 && !d.unread(QuestionNodeIP):
		d.fault(CodeNodeIPMissing, "no address of the node lies in "+orNone(d.NodeIPSubnets)+", so Talos does not start the kubelet",
			"give the subnet of the node's LAN with --node-ip-subnet, for IPv6 clusters an IPv6 one")
	case len(inTailnet) > 0:
		d.fault(CodeNodeIPTailnet, "the kubelet registers the node with its tailnet address "+join(inTailnet)+
			": Talos takes the lowest address, and 100.x is lower than 172.16.x and 192.168.x",
			"narrow the node IP with the patch that talos-tsbridge prints (validSubnets)",
			"then delete the node object and let the kubelet register again: flannel keeps the old address otherwise")
	case len(outside) > 0:
		d.fault(CodeNodeIPOutside, "the kubelet registers the node with "+join(outside)+", which is not in "+orNone(wanted),
			"apply the patch with the wanted --node-ip-subnet; where the node has no address there, set its network up first")
	}

	for _, subnet := range d.ExcludedSubnets {
		prefix, err := netip.ParsePrefix(subnet)
		if err == nil && (slices.ContainsFunc(tailaddr.Ranges(), prefix.Overlaps)) {
			d.fault(CodeOverlap, "the cluster uses "+subnet+" for pods or services, which are addresses of the tailnet: pods do not reach those devices",
				"give the cluster other pod and service CIDRs; that takes a new cluster")
		}
	}
}

func (d *diagnosis) etcd() {
	if !d.ControlPlane {
		return
	}

	wanted := d.EtcdSubnets
	if d.wanted != nil && d.wanted.EtcdSubnets != nil {
		wanted = d.wanted.EtcdSubnets
	}

	inTailnet, outside := d.misplaced(d.EtcdAddresses, wanted)

	const next = "apply the patch with --role controlplane to the control planes, one after the other"

	switch {
	case len(inTailnet) > 0:
		d.fault(CodeEtcdTailnet, "etcd advertises the tailnet address "+join(inTailnet)+": the members depend on the tailnet to talk to each other", next)
	case len(outside) > 0:
		d.fault(CodeEtcdOutside, "etcd advertises "+join(outside)+", which is not in "+orNone(wanted), next)
	}
}

// misplaced returns those of the addresses that are of the tailnet, unless the subnets ask for that, and those that are
// in none of the subnets.
func (d *diagnosis) misplaced(addresses []netip.Addr, subnets []string) (inTailnet, outside []netip.Addr) {
	asked := slices.ContainsFunc(subnets, func(subnet string) bool {
		prefix, err := netip.ParsePrefix(subnet)

		return err == nil && prefix.Bits() > 0 && tailaddr.Contains(prefix.Addr())
	})

	for _, address := range addresses {
		picked, err := nodeip.Pick([]netip.Addr{address}, subnets...)

		switch {
		case tailaddr.Contains(address) && !asked:
			inTailnet = append(inTailnet, address)
		case len(subnets) > 0 && err == nil && len(picked) == 0:
			outside = append(outside, address)
		}
	}

	return inTailnet, outside
}

func (d *diagnosis) config() {
	var doubled []string

	seen := map[string]bool{}

	for _, variable := range d.Environment {
		name, _, _ := strings.Cut(variable, "=")
		if seen[name] && !slices.Contains(doubled, name) {
			doubled = append(doubled, name)
		}

		seen[name] = true
	}

	if len(doubled) > 0 {
		d.fault(CodeDoubled, "variables are in the document twice ("+strings.Join(doubled, ", ")+"): a patch was applied to a config that held it already, "+
			"and the old auth key is still there",
			"remove the document tailscale from the config (talosctl edit mc), and apply the patch once")
	}

	if d.wanted == nil {
		return
	}

	if differences := d.wanted.drift(d.Node); len(differences) > 0 {
		d.fault(CodeDrift, "the configuration on the node is not the wanted one: "+strings.Join(differences, "; "),
			"apply the patch again, in place of the old one",
			"a change of TS_EXTRA_ARGS takes one start with TS_AUTH_ONCE=false and without TS_AUTHKEY to have an effect, with --reset where a flag was removed")
	}
}

func join(addresses []netip.Addr) string {
	texts := make([]string, 0, len(addresses))
	for _, address := range addresses {
		texts = append(texts, address.String())
	}

	return strings.Join(texts, ", ")
}

func orNone(subnets []string) string {
	if len(subnets) == 0 {
		return "any subnet"
	}

	return strings.Join(subnets, " ")
}
