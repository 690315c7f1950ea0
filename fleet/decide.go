package fleet

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/imagefactory"
	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
	"github.com/talos-tsbridge/talos-tsbridge/nodeip"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// Action is what [Up] does about a node.
type Action string

const (
	// ActionNone: the node is on the tailnet and has the config that it is to have.
	ActionNone Action = "none"
	// ActionRemoveKey: the node is on the tailnet, and a key that it needs no more is in its config.
	ActionRemoveKey Action = "remove-key"
	// ActionConfigure: the config changes, and what changes is in force by itself.
	ActionConfigure Action = "configure"
	// ActionLogin: arguments changed that take a new login of the device, for which it needs no key.
	ActionLogin Action = "login"
	// ActionJoin: the node is not on the tailnet.
	ActionJoin Action = "join"
	// ActionInstall: the node waits for its first config, and joins once it has booted with it.
	ActionInstall Action = "install"
	// ActionRefuse: the node is not touched, because that would break it or would be of no use.
	ActionRefuse Action = "refuse"
)

// Code is the reason for which a node is refused or fails.
type Code string

const (
	// CodeUnreachable: the Talos API of the node could not be asked.
	CodeUnreachable Code = "node-unreachable"
	// CodeUnread: the node answers, and does not tell what it is like: it is starting, or the talosconfig may not ask.
	CodeUnread Code = "node-unread"
	// CodeExtensionMissing: the tailscale extension is not in the image of the node.
	CodeExtensionMissing Code = "extension-missing"
	// CodeImageLosesExtension: the image that the config installs does not have the extension.
	CodeImageLosesExtension Code = "image-loses-extension"
	// CodeNoConfig: the node waits for its first config, and the file names none.
	CodeNoConfig Code = "no-config"
	// CodeConfig: the settings do not go with the config of the node.
	CodeConfig Code = "config"
	// CodeNodeIPMoves: the node would be known to Kubernetes by another address.
	CodeNodeIPMoves Code = "node-ip-moves"
	// CodeNodeIPNone: the kubelet would have no address and not start.
	CodeNodeIPNone Code = "node-ip-none"
	// CodeKey: there is no key for the node.
	CodeKey Code = "key"
	// CodeNotTaken: the node refused a config.
	CodeNotTaken Code = "not-taken"
	// CodeNotJoined: the node did not come to the tailnet in time.
	CodeNotJoined Code = "not-joined"
	// CodeNotBooted: the node did not come back with its first config in time.
	CodeNotBooted Code = "not-booted"
	// CodeNameTaken: another device of the tailnet has the name of the node.
	CodeNameTaken Code = "name-taken"
	// CodeTagsNotOwned: the policy of the tailnet does not have the tags of the node.
	CodeTagsNotOwned Code = "tags-not-owned"
	// CodeOverlap: the cluster uses addresses of the tailnet for its pods or services.
	CodeOverlap Code = "cidr-overlap"
	// CodeAddress: the address does not lead to the node alone: it is a virtual one, or another node of the plan is reached by
	// it too.
	CodeAddress Code = "address-shared"
	// CodeFingerprint: what waits for a first config at the address is not the node.
	CodeFingerprint Code = "fingerprint"
	// CodeInterrupted: the run was ended before the node was done.
	CodeInterrupted Code = "interrupted"
)

// Refusal is why a node is not touched, or how it failed.
type Refusal struct {
	Code  Code
	Cause string
	// Next is what to do about it.
	Next []string
}

func (r *Refusal) Error() string { return r.Cause }

func refuse(code Code, cause string, next ...string) *Refusal {
	return &Refusal{Code: code, Cause: cause, Next: next}
}

// decision is what is to be done about a node.
type decision struct {
	action Action
	// says is what that means, one line each.
	says []string
	// desired are the configs that it takes.
	desired *desired
	// tried tells that the node has a config in force that is not on its disk.
	tried bool
}

// decide says what is to be done about a node that has a config: a function of what it says of itself alone.
func decide(s *talosapi.State, d *desired, moveNodeIP bool) (*decision, *Refusal) {
	if s.Extension == "" {
		return nil, extensionMissing(s, d.finalTree)
	}

	if refused := checkNodeIP(s, d, moveNodeIP); refused != nil {
		return nil, refused
	}

	made := &decision{desired: d, tried: string(s.Active) != string(s.Persisted)}
	inForce := d.environment(s.Active)

	switch {
	case !joined(s, d.inFinal):
		if refused := checkOverlap(d.config); refused != nil {
			return nil, refused
		}

		made.action = ActionJoin
		made.say("is not on the tailnet: joins with a key of its own, which is written to no disk")
	case loginNeeded(inForce, d.inFinal):
		made.action = ActionLogin
		made.say("logs in again without a key, for what changes in " + strings.Join(changedVariables(inForce, d.inFinal), ", "))
	case d.onlyKeyGoes():
		made.action = ActionRemoveKey
		made.say("is on the tailnet, and a key is in its config: the key is taken out")
	case d.changed() || made.tried:
		made.action = ActionConfigure
	default:
		return &decision{action: ActionNone, desired: d, says: []string{"is on the tailnet, and as wanted"}}, nil
	}

	if made.tried {
		made.say("has a config in force that is not on its disk, from a run that did not come to its end")
	}

	if other := changedDocuments(d); len(other) > 0 {
		made.say("config: " + strings.Join(other, ", "))
	}

	return made, nil
}

func (d *decision) say(line string) { d.says = append(d.says, line) }

// joined reports whether a node is on the tailnet. In userspace mode there is no device to have an address: there a service
// that runs has to do.
func joined(s *talosapi.State, environment map[string]string) bool {
	return s.Service.Running() && (len(s.TailnetAddresses) > 0 || environment["TS_USERSPACE"] == "true")
}

// extensionMissing says how the node gets the extension.
func extensionMissing(s *talosapi.State, config tree) *Refusal {
	image := config.installImage()
	if image == "" || imagefactory.IsStock(image) {
		image = "IMAGE, as talos-tsbridge schematic --image prints it"
	}

	upgrade := "upgrade the node to one that has it: talosctl upgrade --image " + image
	if s.Version != "" {
		upgrade += " (Talos " + s.Version + " runs)"
	}

	return refuse(CodeExtensionMissing, "the tailscale extension is not in the image that the node booted", upgrade)
}

// checkOverlap refuses a cluster whose pods or services would be told apart from the tailnet by nobody.
func checkOverlap(config *patch.Config) *Refusal {
	for _, cidr := range slices.Concat(config.PodCIDRs(), config.ServiceCIDRs()) {
		for _, tailnet := range tailaddr.Ranges() {
			if cidr.Overlaps(tailnet) {
				return refuse(CodeOverlap, fmt.Sprintf("the cluster uses %s for its pods or services, and the tailnet has %s", cidr, tailnet),
					"a cluster keeps these subnets for life: make it anew with others, such as 10.244.0.0/16 and 10.96.0.0/12")
			}
		}
	}

	return nil
}

// checkNodeIP refuses a change that would move the node IP of a node that runs.
func checkNodeIP(s *talosapi.State, d *desired, move bool) *Refusal {
	if !d.changed() {
		return nil
	}

	before, after := d.beforeTree.nodeIPSubnets(), d.finalTree.nodeIPSubnets()
	if slices.Equal(before, after) || len(after) == 0 || len(s.NodeIPs) == 0 {
		return nil
	}

	rules := slices.Clone(after)
	for _, excluded := range s.Excluded {
		rules = append(rules, "!"+strings.TrimPrefix(excluded, "!"))
	}

	picked, err := nodeip.Pick(slices.Concat(s.Addresses, s.TailnetAddresses), rules...)

	switch {
	case err != nil:
		return refuse(CodeConfig, err.Error())
	case len(picked) == 0:
		return refuse(CodeNodeIPNone, fmt.Sprintf("no address of the node (%s) is in the node IP subnets, so the kubelet would not start", joinAddresses(s.Addresses)),
			"name the subnet of the node in nodeIPSubnets")
	case picked[0] != s.NodeIPs[0] && !move:
		return refuse(CodeNodeIPMoves, fmt.Sprintf("the node IP would move from %s to %s, which breaks the pod network until the node is registered anew", s.NodeIPs[0], picked[0]),
			"name the subnet of "+s.NodeIPs[0].String()+" in nodeIPSubnets, or give --move-node-ip and register the node anew afterwards: kubectl delete node, then restart the kubelet")
	}

	return nil
}

func joinAddresses(addresses []netip.Addr) string {
	texts := make([]string, len(addresses))
	for i, address := range addresses {
		texts[i] = address.String()
	}

	return strings.Join(texts, ", ")
}

// changedVariables names what of the service's environment differs.
func changedVariables(before, after map[string]string) []string {
	var names []string

	for _, variables := range []map[string]string{before, after} {
		for name := range variables {
			value, had := before[name]
			other, has := after[name]

			if (value != other || had != has) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}

	slices.Sort(names)

	return names
}

// changedDocuments names the documents that change, with the variables of the service.
func changedDocuments(d *desired) []string {
	if !d.changed() {
		return nil
	}

	before, final := d.beforeTree, d.finalTree
	if final.file == nil {
		return nil
	}

	var changed []string

	for _, document := range final.file.Documents() {
		name := document.Kind
		if name == machineconfig.Legacy {
			name = "v1alpha1"
		}

		if document.Name != "" {
			name += " " + document.Name
		}

		switch old := before.find(document.Kind, document.Name); {
		case old == nil:
			changed = append(changed, name+" is new")
		case !sameTree(old, document):
			if document.Kind == serviceKind && document.Name == "tailscale" {
				name += " (" + strings.Join(changedVariables(d.inBefore, d.inFinal), ", ") + ")"
			}

			changed = append(changed, name+" changes")
		}
	}

	return changed
}
