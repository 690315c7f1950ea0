package main

import (
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

// verifyFlags are the flags of verify.
type verifyFlags struct {
	timeout  time.Duration
	wait     time.Duration
	parallel int
	from     string
	also     []string
	caFile   string
	insecure bool
	magicDNS string
	proxy    string
	output   string
	quiet    bool

	manifest bool
	image    string
	name     string
	onNode   string

	patchFile string

	bridgeFlags
	talosFlags
	deviceFlags
}

func (f *verifyFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false

	bindSpan(flags, &f.timeout, "timeout", verify.DefaultTimeout, "`time` that one attempt may take")
	flags.Var(&spanFlag{value: &f.wait}, "wait", "try what fails again for this `time` (default: one attempt)")
	bindParallel(flags, &f.parallel, verify.DefaultParallel, "`number` of targets to try at a time")
	flags.StringVar(&f.from, "from", "", "`place` that this runs in: host, pod or node (default: pod in a pod, else host)")
	flags.StringArrayVar(&f.also, "also", nil,
		"take the results in `file` into the diagnosis, the -o json output of a run in another place or the log of the Job; can be repeated")
	flags.StringVar(&f.caFile, "ca-file", "", "verify certificates against the PEM certificates in `file` (default: the system's)")
	flags.BoolVar(&f.insecure, "insecure", false, "do not verify certificates")
	flags.StringVar(&f.magicDNS, "magic-dns", "", "`address` of MagicDNS, for tailnet:// (default: 100.100.100.100 and fd7a:115c:a1e0::53, whichever answers)")
	flags.StringVar(&f.proxy, "proxy", "", "reach targets through the SOCKS5 or HTTP proxy at `URL`, as tailscaled in userspace mode serves one; env for that in ALL_PROXY")
	bindForm(cmd, &f.output)
	bindSilent(cmd, &f.quiet)

	flags.BoolVar(&f.manifest, "manifest", false, "print a Kubernetes Job that verifies the targets from a pod, or with --from node from a node's network")
	flags.StringVar(&f.image, "image", verify.DefaultImage, "`image` of the Job, with sh, curl, getent, nc and nslookup")

	flags.StringVar(&f.name, "name", "", "`name` of the Job; one that exists is run again with kubectl replace --force -f - (default: a new one each time)")
	flags.StringVar(&f.onNode, "on-node", "", "run the Job on the Kubernetes node with this `name`")

	f.bindVerify(flags)
	flags.StringSliceVarP(&f.nodes, "nodes", "n", nil, "ask these nodes through the Talos API, a comma-separated `list` (default: those of the talosconfig, if it is given)")
	f.bindConnection(flags)
	flags.StringVar(&f.patchFile, "patch", "", "hold the nodes against the patch in `file`, with or without the key")
	f.bindDevices(flags)

	completeValues(cmd, "from", string(verify.PlaceHost), string(verify.PlacePod), string(verify.PlaceNode))
}

func (f *verifyFlags) check(given *pflag.FlagSet, args []string) error {
	var faults []error

	if f.manifest && !slices.Contains([]string{outputTable, outputJSON, outputYAML}, f.output) {
		faults = append(faults, usagef("--output %s is unknown for a manifest: write %s or %s", quote.Value(f.output), outputYAML, outputJSON))
	} else if err := checkForm(f.output); !f.manifest && err != nil {
		faults = append(faults, err)
	}

	if f.manifest && f.looksAtNodes() {
		faults = append(faults, usagef("--manifest or --nodes, not both: the Job tries targets, and has no access to the Talos API"))
	}

	if isGiven(given, "patch") && !f.looksAtNodes() {
		faults = append(faults, usagef("--patch is what nodes are held against: name them with --nodes"))
	}

	if isGiven(given, "patch") && f.file != "" {
		faults = append(faults, usagef("--file or --patch, not both: the bridge file says what each node is held against"))
	}

	if !f.manifest && (isGiven(given, "name") || isGiven(given, "on-node")) {
		faults = append(faults, usagef("--name and --on-node are about the Job: add --manifest"))
	}

	if f.manifest && f.proxy != "" {
		faults = append(faults, usagef("--manifest or --proxy, not both: pods reach the tailnet through their node"))
	}

	if f.manifest && f.api {
		faults = append(faults, usagef("--manifest or --api, not both: the Job tries targets, and has no credentials"))
	}

	if isGiven(given, "device") && !f.api {
		faults = append(faults, usagef("--device is a name to look up through the Tailscale API: add --api"))
	}

	if isGiven(given, "advertise-tags") && !f.api {
		faults = append(faults, usagef("--advertise-tags is about devices that are looked up through the Tailscale API: add --api"))
	}

	switch nothing := len(args) == 0 && !f.looksAtNodes() && !f.api && len(f.also) == 0; {
	case nothing && f.manifest:
		faults = append(faults, usagef("there is nothing to verify from a pod: write %s", verify.TargetUsage))
	case nothing && len(faults) == 0:
		faults = append(faults, usagef("there is nothing to verify: write %s, or --nodes LIST, or --api", verify.TargetUsage))
	}

	return errors.Join(faults...)
}
