package patch

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing that is wrong with the options of a patch or with the machine config that it is for.
type Fault struct {
	Code Code
	// Option is the name of the choice that the fault lies in, as [Choice.Name] has it, or "" where it lies in none.
	Option string
	// Message says what is wrong and what to write instead, in one line and without secrets. The names of choices stand in
	// `backquotes` in it, so that whoever shows it can write them as its users do; [Fault.Error] leaves the quotes out.
	Message string
}

// Code is a class of faults. The codes are stable within a major version.
type Code string

const (
	// CodeInvalid is a value that its option does not take.
	CodeInvalid Code = "invalid"
	// CodeConflict is two options, variables or arguments that exclude each other.
	CodeConflict Code = "conflict"
	// CodeMissing is an option that needs another one, which is not set.
	CodeMissing Code = "missing"
	// CodeDuplicate is what may be given once and was given again.
	CodeDuplicate Code = "duplicate"
	// CodeReserved is a variable or argument that another option sets, or that belongs to the system extension.
	CodeReserved Code = "reserved"
	// CodeUnsupported is what the version, the role or the form of the machine config does not allow.
	CodeUnsupported Code = "unsupported"
	// CodeSecret is a key or another secret in a place where others can read it.
	CodeSecret Code = "secret"
	// CodeConfig is a machine config that cannot be read or must not be changed.
	CodeConfig Code = "config"
)

// Error returns the message, with the names of choices as they are.
func (f Fault) Error() string { return unquoted(f.Message) }

// Faults are all faults of a patch. [New] returns no error of another type.
type Faults []Fault

// Error returns the messages, a line each.
func (f Faults) Error() string {
	lines := make([]string, 0, len(f))
	for _, fault := range f {
		lines = append(lines, fault.Error())
	}

	return strings.Join(lines, "\n")
}

// Unwrap returns the faults as errors.
func (f Faults) Unwrap() []error {
	list := make([]error, 0, len(f))
	for _, fault := range f {
		list = append(list, fault)
	}

	return list
}

// err returns the faults as an error, nil for none.
func (f Faults) err() error {
	if len(f) == 0 {
		return nil
	}

	return f
}

// add adds a fault. An empty option is of none.
func (f *Faults) add(code Code, option, format string, args ...any) {
	*f = append(*f, Fault{Code: code, Option: option, Message: fmt.Sprintf(format, args...)})
}

// addError adds a fault for each of the errors that are joined in err, with a text before each.
func (f *Faults) addError(code Code, option, before string, err error) {
	if err == nil {
		return
	}

	for _, one := range leaves(err) {
		if fault, ok := errors.AsType[Fault](one); ok {
			*f = append(*f, fault)
		} else if failure, ok := errors.AsType[*ConfigError](one); ok {
			f.add(code, option, "%s%s", before, failure.message())
		} else {
			f.add(code, option, "%s%s", before, one)
		}
	}
}

// leaves returns the errors that are joined in one.
func leaves(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}

	var all []error
	for _, one := range joined.Unwrap() {
		all = append(all, leaves(one)...)
	}

	return all
}

// Note is something worth knowing about a patch that is no fault: input that was changed, a choice that bites later.
type Note struct {
	Code NoteCode
	// Text is a sentence without secrets, with the names of choices in `backquotes` as in [Fault.Message].
	Text string
}

// String returns the text, with the names of choices as they are.
func (n Note) String() string { return unquoted(n.Text) }

// NoteCode tells one note from another. The codes are stable within a major version.
type NoteCode string

const (
	// NoteNoKey: the patch has no auth key, so only nodes that kept their state join.
	NoteNoKey NoteCode = "no-key"
	// NoteHeadscaleKey: the key is not Tailscale's, and no login server is set.
	NoteHeadscaleKey NoteCode = "headscale-key"
	// NoteClientSecret: the key is a long-lived OAuth client secret.
	NoteClientSecret NoteCode = "client-secret"
	// NoteAuthEveryStart: the node logs in at every start, which fails once its key is used up.
	NoteAuthEveryStart NoteCode = "auth-every-start"
	// NoteStateLost: the state directory does not outlive the service.
	NoteStateLost NoteCode = "state-lost"
	// NoteNewerTalos: the version, or a document of the machine config, is of a Talos newer than the newest known.
	NoteNewerTalos NoteCode = "newer-talos"
	// NoteKept: a setting of the machine config stays that the patch would have chosen differently.
	NoteKept NoteCode = "kept"
	// NoteJoined: a node that has joined does not take a change by itself.
	NoteJoined NoteCode = "joined"
	// NoteFileMissing: a variable names a file that neither the patch nor the machine config holds.
	NoteFileMissing NoteCode = "file-missing"
	// NoteUserspace: pods do not reach the tailnet through a node in userspace mode.
	NoteUserspace NoteCode = "userspace"
	// NoteRoutes: advertised routes were changed.
	NoteRoutes NoteCode = "routes"
	// NoteForwarding: the patch sets the kernel parameter for IPv6 forwarding.
	NoteForwarding NoteCode = "forwarding"
	// NoteNodeIP: what the subnets of the node IP mean or what was changed in them.
	NoteNodeIP NoteCode = "node-ip"
	// NoteNodeIPFamily: the default subnets are for IPv4 clusters.
	NoteNodeIPFamily NoteCode = "node-ip-family"
	// NoteEtcd: what the subnets of etcd mean or what was changed in them.
	NoteEtcd NoteCode = "etcd"
	// NoteEtcdAll: etcd advertises every address that matches, where it advertised the first alone.
	NoteEtcdAll NoteCode = "etcd-all"
	// NoteTailnetSubnet: the node IP or etcd's address is one of the range of tailnets.
	NoteTailnetSubnet NoteCode = "tailnet-subnet"
	// NoteKubeletNodeIP: an extra argument of the kubelet decides the node IP.
	NoteKubeletNodeIP NoteCode = "kubelet-node-ip"
	// NoteOldAuthEnv: the machine config has the file of an old version of the extension, which nothing reads.
	NoteOldAuthEnv NoteCode = "old-auth-env"
	// NoteOwnLAN: with accept-routes, a route of the tailnet may take the traffic to the node's own LAN.
	NoteOwnLAN NoteCode = "own-lan"
	// NoteEtcdOpen: etcd may advertise the tailnet address of the node.
	NoteEtcdOpen NoteCode = "etcd-open"
	// NoteStaticHostsCopy: static hosts are a copy of addresses that may change.
	NoteStaticHostsCopy NoteCode = "static-hosts-copy"
	// NoteStaticHostsNodeOnly: pods do not see the static hosts.
	NoteStaticHostsNodeOnly NoteCode = "static-hosts-node-only"
	// NoteStaticHostsFamily: a static host has addresses of one family only.
	NoteStaticHostsFamily NoteCode = "static-hosts-family"
	// NoteMagicDNSFirst: the resolver of MagicDNS is asked before all others.
	NoteMagicDNSFirst NoteCode = "magicdns-first"
	// NoteFirewall: the firewall rules are for configs that block by default.
	NoteFirewall NoteCode = "firewall"
	// NoteStockImage: the install image holds no system extension.
	NoteStockImage NoteCode = "stock-image"
	// NoteInstallImage: the install image is not in the patch.
	NoteInstallImage NoteCode = "install-image"
)

// notes collects notes, each once.
type notes []Note

func (n *notes) add(code NoteCode, format string, args ...any) {
	if note := (Note{Code: code, Text: fmt.Sprintf(format, args...)}); !slices.Contains(*n, note) {
		*n = append(*n, note)
	}
}

func unquoted(text string) string { return strings.ReplaceAll(text, "`", "") }
