// Package talosctl reads a command line of talosctl, or of another program that takes patches as talosctl does: where in it a
// patch stands, and which nodes the patch is for there.
package talosctl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config/machine"
)

// StandIn is the argument that stands for a patch, also at the end of --FLAG=@-. talosctl itself takes it for the name of a
// file.
const StandIn = "@-"

// The flags of talosctl gen config that take patches.
const (
	FlagPatch             = "--config-patch"
	FlagPatchControlPlane = "--config-patch-control-plane"
	FlagPatchWorker       = "--config-patch-worker"
)

// FlagVersion is the flag for the version of Talos that a config is for.
const FlagVersion = "--talos-version"

// roles are the roles of the nodes that flags are for: [machine.TypeUnknown] is any.
var roles = map[string]machine.Type{
	FlagPatch: machine.TypeUnknown, FlagPatchControlPlane: machine.TypeControlPlane, FlagPatchWorker: machine.TypeWorker,
}

// spellings are other names of [FlagPatch], in talosctl apply-config, patch and machineconfig patch.
var spellings = map[string]string{"-p": FlagPatch, "--patch": FlagPatch}

// Place is an argument that stands for a patch.
type Place struct {
	// Index is that of the argument, and Prefix what stands in it before the @.
	Index  int
	Prefix string
	// Flag is the flag that the argument belongs to, or the argument before it.
	Flag string
	// Role is the role of the nodes that talosctl takes the patch for, [machine.TypeUnknown] for any; HasRole tells that Flag
	// is one of its flags which say so.
	Role    machine.Type
	HasRole bool
	// AdditionsOnly tells that another place has the patch for any role: here stands what a role needs on top.
	AdditionsOnly bool
	// BesideControlPlane tells that another place is the one for control planes.
	BesideControlPlane bool
}

// Places finds the places in a command line, whose first element is the program. It fails where there is none, and where
// talosctl would add a patch to itself.
func Places(args []string) ([]Place, error) {
	var (
		places []Place
		flags  []string
	)

	for i, arg := range args {
		prefix, isStandIn := strings.CutSuffix(arg, StandIn)
		isValue := strings.HasPrefix(prefix, "-") && strings.HasSuffix(prefix, "=")

		if i == 0 || !isStandIn || prefix != "" && !isValue {
			continue
		}

		flag := cmp.Or(strings.TrimSuffix(prefix, "="), args[i-1])
		name := cmp.Or(spellings[flag], flag)

		if _, ofTalosctl := roles[name]; ofTalosctl && slices.Contains(flags, name) {
			return nil, fmt.Errorf("%s %s is there twice: talosctl would add the patch to itself, give it once", flag, StandIn)
		}

		flags = append(flags, name)
		place := Place{Index: i, Prefix: prefix + "@", Flag: flag}
		place.Role, place.HasRole = roles[flag]
		places = append(places, place)
	}

	if len(places) == 0 {
		return nil, fmt.Errorf("no argument of the command is %s, which stands for the patch: write %s %s, or -p %s", StandIn, FlagPatch, StandIn, StandIn)
	}

	for i := range places {
		place := &places[i]
		place.AdditionsOnly = place.Role != machine.TypeUnknown && slices.Contains(flags, FlagPatch)
		place.BesideControlPlane = place.Flag != FlagPatchControlPlane && slices.Contains(flags, FlagPatchControlPlane)
	}

	return places, nil
}

// Version returns the value of [FlagVersion] in a command line, and "" where it is not there.
func Version(args []string) string {
	version := ""

	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, FlagVersion+"="); ok {
			version = value
		} else if i > 0 && args[i-1] == FlagVersion {
			version = arg
		}
	}

	return version
}
