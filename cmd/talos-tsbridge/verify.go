package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
	"github.com/talos-tsbridge/talos-tsbridge/verify/report"
)

const verifyDescription = `Finds out whether the tailnet is reached from here, and says for each failure what its cause is and what to do next.

Targets are
  tcp://HOST:PORT            a connection is opened
  https://NAME:PORT/PATH@IP  a request for NAME (SNI and Host) to IP, as curl --resolve; without @IP to where NAME is
  dns://NAME@SERVER          the addresses of NAME; without @SERVER by the system's resolver
  tailnet://NAME             NAME has a tailnet address, and the system's resolver and MagicDNS agree on it
  talos://NAME, kube://NAME  the API is reached (port 50000, 6443, or NAME:PORT), and its certificate is for NAME

With --nodes, Talos nodes are asked through the Talos API: whether the extension is in the image, configured and running, has
a tailnet address, and has left the node IP and etcd alone. With --api, they are looked up in the tailnet, and auth keys that
were left behind are told.

The results go to standard output. The exit code is 0 when all is well, 1 when something is wrong, 2 for wrong usage, and 3
when something could not be looked at.`

const verifyExamples = `  talos-tsbridge verify --manifest tcp://100.82.13.87:8200 | kubectl apply -f -
  talos-tsbridge verify tcp://100.82.13.87:8200 \
    https://vault.example.ts.net:8200/v1/sys/health@100.82.13.87 tailnet://vault.example.ts.net
  talos-tsbridge verify --wait 2m tcp://100.82.13.87:8200
  talos-tsbridge verify --nodes 192.168.1.10,192.168.1.11 --patch patch.yaml --api`

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

	bridgeFlags
	talosFlags
	deviceFlags
}

func (p *program) verifyCommand() *cobra.Command {
	flags := &verifyFlags{}

	cmd := &cobra.Command{
		Use:     "verify [flags] [TARGET...]",
		Short:   "Find out whether the tailnet is reached, and what is missing",
		Long:    verifyDescription,
		Example: verifyExamples,
		Args:    cobra.ArbitraryArgs,
		RunE:    func(cmd *cobra.Command, args []string) error { return p.verify(cmd.Context(), flags, args) },
	}

	flags.bind(cmd)

	return cmd
}

func (f *verifyFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false

	flags.DurationVar(&f.timeout, "timeout", verify.DefaultTimeout, "`time` that one attempt may take")
	flags.DurationVar(&f.wait, "wait", 0, "try what fails again for this `time` (default: one attempt)")
	flags.IntVar(&f.parallel, "parallel", verify.DefaultParallel, "`number` of targets to try at a time")
	flags.StringVar(&f.from, "from", "", "`place` that this runs in: host, pod or node (default: pod in a pod, else host)")
	flags.StringArrayVar(&f.also, "also", nil,
		"take the results in `file` into the diagnosis, the -o json output of a run in another place or the log of the Job; can be repeated")
	flags.StringVar(&f.caFile, "ca-file", "", "verify certificates against the PEM certificates in `file` (default: the system's)")
	flags.BoolVar(&f.insecure, "insecure", false, "do not verify certificates")
	flags.StringVar(&f.magicDNS, "magic-dns", "", "`address` of MagicDNS, for tailnet:// (default: 100.100.100.100 and fd7a:115c:a1e0::53, whichever answers)")
	flags.StringVar(&f.proxy, "proxy", "", "reach targets through the SOCKS5 or HTTP proxy at `URL`, as tailscaled in userspace mode serves one; env for that in ALL_PROXY")
	flags.StringVarP(&f.output, "output", "o", outputTable, "`form` of the output: table or json")
	flags.BoolVar(&f.quiet, "quiet", false, "no progress on standard error")

	flags.BoolVar(&f.manifest, "manifest", false, "print a Kubernetes Job that verifies the targets from a pod, or with --from node from a node's network")
	flags.StringVar(&f.image, "image", verify.DefaultImage, "`image` of the Job, with sh, curl, getent, nc and nslookup")

	flags.StringVar(&f.name, "name", "", "`name` of the Job; one that exists is run again with kubectl replace --force -f - (default: a new one each time)")
	flags.StringVar(&f.onNode, "on-node", "", "run the Job on the Kubernetes node with this `name`")

	f.bindVerify(flags)
	f.bindNodes(flags)
	f.bindDevices(flags)

	completeValues(cmd, "from", string(verify.PlaceHost), string(verify.PlacePod), string(verify.PlaceNode))
	completeValues(cmd, "output", outputTable, outputJSON)
}

func (p *program) verify(ctx context.Context, flags *verifyFlags, args []string) error {
	checker, err := p.checker(ctx, flags)
	targets, targetsErr := verify.ParseTargets(args...)

	if targetsErr != nil {
		targetsErr = usageError{targetsErr}
	}

	if err := errors.Join(err, targetsErr, flags.check(args)); err != nil {
		return err
	}

	wanted, err := p.wanted(ctx, &flags.talosFlags)
	if err != nil {
		return err
	}

	if flags.manifest {
		return p.printManifest(ctx, flags, targets, checker.MagicDNS)
	}

	also, err := p.readResults(ctx, flags.also)
	if err != nil {
		return err
	}

	// when the user ends the wait, ctx ends, and what is known by then is printed
	progress := p.newProgress(flags, targets)
	checker.OnAttempt = progress.attempt

	check := &report.Check{Checker: checker, Targets: targets, Also: also, Wanted: wanted, Wait: flags.wait}

	var bridge *bridgeCheck

	if flags.file != "" {
		if bridge, err = p.newBridgeCheck(ctx, flags.file, &flags.talosFlags); err != nil {
			return err
		}
	}

	if flags.looksAtNodes() {
		talos, err := flags.connect(ctx)
		if err != nil {
			return err
		}

		defer func() { _ = talos.Close() }() // nothing is lost with it

		progress.allNodes = len(talos.Nodes)
		check.Nodes = talos.Nodes
		check.Inspector = &nodes.Inspector{Client: talos.Client, Timeout: flags.timeout, OnNode: progress.node}
	}

	if flags.api {
		if err := p.lookUp(flags, check); err != nil {
			return err
		}
	}

	found, err := check.Run(ctx)
	progress.end()

	if err != nil {
		return exitError{err, exitUnseen}
	}

	drift, err := bridge.findings(ctx)
	if err != nil {
		return err
	}

	found.Findings = verify.Merge(append(found.Findings, drift...))

	if err := p.writeReport(flags.output, found); err != nil {
		return err
	}

	return failureOf(found)
}

// printManifest prints the Job, and says on standard error how to run it and read its log.
func (p *program) printManifest(ctx context.Context, flags *verifyFlags, targets []verify.Target, magicDNS netip.AddrPort) error {
	options := verify.ManifestOptions{
		Name: cmp.Or(flags.name, verify.JobName()), From: verify.Place(flags.from), OnNode: flags.onNode, Image: flags.image,
		Timeout: flags.timeout, Wait: flags.wait, Insecure: flags.insecure, MagicDNS: magicDNS,
	}

	if flags.caFile != "" {
		var err error
		if options.CAs, err = p.readInput(ctx, "ca-file", flags.caFile); err != nil {
			return unseen(err)
		}
	}

	text, err := verify.Manifest(targets, options)
	if err != nil {
		return usageError{err}
	}

	if flags.output == outputJSON {
		if text, err = asList(text); err != nil {
			return err
		}
	}

	if _, err := p.stdout.Write(text); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}

	if flags.quiet {
		return nil
	}

	if options.From == verify.PlaceNode {
		p.note("the Job is in the network of its node: its namespace must allow that, such as kubectl apply -n kube-system -f -")
	}

	p.note(fmt.Sprintf("follow it with: kubectl logs -f --pod-running-timeout=2m job/%s; the log tells this diagnosis more: talos-tsbridge verify --also FILE", options.Name))

	return nil
}

// asList returns documents of YAML as a list of Kubernetes objects in JSON.
func asList(documents []byte) ([]byte, error) {
	list := struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Items      []any  `json:"items"`
	}{APIVersion: "v1", Kind: "List"}

	for document := range bytes.SplitSeq(documents, []byte("\n---\n")) {
		var item any
		if err := yaml.Unmarshal(document, &item); err != nil {
			return nil, fmt.Errorf("the Job as JSON: %w", err)
		}

		list.Items = append(list.Items, item)
	}

	text, err := json.MarshalIndent(list, "", "  ")

	return append(text, '\n'), err
}

func (f *verifyFlags) check(args []string) error {
	var faults []error

	if f.manifest && !slices.Contains([]string{outputTable, outputJSON, outputYAML}, f.output) {
		faults = append(faults, usagef("--output %s is unknown for a manifest: write %s or %s", quote.Value(f.output), outputYAML, outputJSON))
	} else if !f.manifest && f.output != outputTable && f.output != outputJSON {
		faults = append(faults, usagef("--output %s is unknown: write %s or %s", quote.Value(f.output), outputTable, outputJSON))
	}

	if f.manifest && f.looksAtNodes() {
		faults = append(faults, usagef("--manifest or --nodes, not both: the Job tries targets, and has no access to the Talos API"))
	}

	if f.patchFile != "" && !f.looksAtNodes() {
		faults = append(faults, usagef("--patch is what nodes are held against: name them with --nodes"))
	}

	if !f.manifest && (f.name != "" || f.onNode != "") {
		faults = append(faults, usagef("--name and --on-node are about the Job: add --manifest"))
	}

	if f.manifest && f.proxy != "" {
		faults = append(faults, usagef("--manifest or --proxy, not both: pods reach the tailnet through their node"))
	}

	if f.manifest && f.api {
		faults = append(faults, usagef("--manifest or --api, not both: the Job tries targets, and has no credentials"))
	}

	// advertise-tags without api is no fault: its variable may be set for the other commands
	if len(f.devices) > 0 && !f.api {
		faults = append(faults, usagef("--device is a name to look up through the Tailscale API: add --api"))
	}

	if len(args) == 0 && !f.looksAtNodes() && !f.api && len(f.also) == 0 {
		faults = append(faults, usagef("there is nothing to verify: write %s, or --nodes LIST, or --api", verify.TargetUsage))
	}

	return errors.Join(faults...)
}

// checker returns the checker that the flags describe.
func (p *program) checker(ctx context.Context, f *verifyFlags) (*verify.Checker, error) {
	var faults []error

	checker := &verify.Checker{Timeout: f.timeout, Wait: f.wait, Parallel: f.parallel, Insecure: f.insecure, From: verify.DetectPlace(p.environment.lookup)}

	if f.timeout <= 0 || f.wait < 0 {
		faults = append(faults, usagef("--timeout must be positive and --wait not negative: write such as --timeout 5s --wait 2m"))
	}

	if f.parallel < 1 {
		faults = append(faults, usagef("--parallel must be at least 1"))
	}

	if f.from != "" {
		var err error
		if checker.From, err = verify.ParsePlace(f.from); err != nil {
			faults = append(faults, usagef("--from %s: %w", quote.Value(f.from), err))
		}
	}

	var err error

	if f.magicDNS != "" {
		if checker.MagicDNS, err = verify.ParseServer(f.magicDNS); err != nil {
			faults = append(faults, usagef("--magic-dns: %w", err))
		}
	}

	if err := f.useProxy(checker, p.environment); err != nil {
		faults = append(faults, err)
	}

	switch {
	case f.caFile != "" && f.insecure:
		faults = append(faults, usagef("--ca-file or --insecure, not both: with --insecure no certificate is verified"))
	case f.caFile != "":
		if checker.CAs, err = p.readCAs(ctx, f.caFile); err != nil {
			faults = append(faults, err)
		}
	}

	return checker, errors.Join(faults...)
}

// useProxy makes the checker go through the proxy that the flag names, or know of that in the environment.
func (f *verifyFlags) useProxy(checker *verify.Checker, env environment) error {
	named := cmp.Or(env["ALL_PROXY"], env["all_proxy"])
	ambient, ambientErr := verify.ParseProxy(named)

	switch f.proxy {
	case "":
		// the variables of HTTP alone are often a company's proxy to the internet; tailscaled's is on this machine
		if other, err := verify.ParseProxy(cmp.Or(env["HTTPS_PROXY"], env["https_proxy"], env["HTTP_PROXY"], env["http_proxy"])); named == "" && err == nil && other.IsLocal() {
			ambient, ambientErr = other, nil
		}

		if ambientErr == nil {
			checker.UnusedProxy = ambient.String()
		}

		return nil
	case "env":
		if named == "" {
			return usagef("--proxy env takes the proxy in ALL_PROXY, which is not set")
		}

		if ambientErr != nil {
			return usagef("--proxy: ALL_PROXY: %w", ambientErr)
		}

		checker.Dial, checker.Proxy = ambient.Dial, ambient.String()

		return nil
	}

	proxy, err := verify.ParseProxy(f.proxy)
	if err != nil {
		return usagef("--proxy: %w", err)
	}

	checker.Dial, checker.Proxy = proxy.Dial, proxy.String()

	return nil
}

func (p *program) readCAs(ctx context.Context, file string) (*x509.CertPool, error) {
	text, err := p.readInput(ctx, "ca-file", file)
	if err != nil {
		return nil, unseen(err)
	}

	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, usagef("--ca-file %s holds no certificate: give a file of PEM certificates (-----BEGIN CERTIFICATE-----)", quote.Value(file))
	}

	return pool, nil
}

// readResults reads the results in reports of other runs.
func (p *program) readResults(ctx context.Context, files []string) ([]verify.Result, error) {
	var results []verify.Result

	for _, file := range files {
		text, err := p.readInput(ctx, "also", file)
		if err != nil {
			return nil, unseen(err)
		}

		read, err := report.Read(text)
		if err != nil {
			return nil, usagef("--also %s: %w", quote.Value(file), err)
		}

		results = append(results, read...)
	}

	return results, nil
}

// newProgress returns what tells a person at a terminal what is waited for; on anything else it is silent.
func (p *program) newProgress(flags *verifyFlags, targets []verify.Target) *progress {
	if flags.quiet || !isTerminal(p.stderr) {
		return &progress{out: io.Discard}
	}

	return &progress{out: p.stderr, total: len(targets), until: time.Now().Add(flags.wait), outcomes: map[string]verify.Outcome{}}
}
