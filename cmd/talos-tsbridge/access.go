package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/internal/atomicfile"
	"github.com/talos-tsbridge/talos-tsbridge/internal/ctxio"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

// accessFlags are the flags of access.
type accessFlags struct {
	upFlags

	newContext string
	timeout    time.Duration
}

func (p *program) accessCommand() *cobra.Command {
	flags := &accessFlags{}

	cmd := &cobra.Command{
		Use:   "access",
		Short: "Make a talosconfig context that works over the tailnet",
		Long: `Adds a context to the talosconfig whose endpoints are the control planes as the tailnet knows them, by their names in MagicDNS where
their certificates have those, and else by their addresses. The nodes are asked through the context that works today; the rest of
the file keeps its bytes, a context that is there is not overwritten, and the current one stays.

Each endpoint is then tried over the tailnet. The exit code is 0 when all of them answer, 1 when a certificate does not fit, and 3 when
one does not answer. For kubectl, the two lines that make its context are printed. A Kubernetes API that does not answer there is told and
changes no exit code: the context is for talosctl, and many clusters have that API behind an address of its own.`,
		Example: `  talos-tsbridge access --context lab-tailnet
  talosctl --context lab-tailnet version`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkRanges(cmd.Flags()); err != nil {
				return err
			}

			return p.access(cmd.Context(), flags)
		},
	}

	bind := cmd.Flags()
	bind.SortFlags = false

	flags.bindFile(cmd, "the bridge `file` (default "+fleet.DefaultFile+", unless --nodes is given)")
	bind.StringSliceVarP(&flags.nodes, "nodes", "n", nil, "these nodes, a comma-separated `list` of addresses or of names in the bridge file (default: all of the file)")
	bind.StringVar(&flags.newContext, "context", "", "`name` of the context to make (default: that of the present one, with -tailnet)")
	leaveVariable(cmd, "context")
	bind.StringVar(&flags.context, "from-context", "", "`name` of the context that works today (default: the current one)")
	flags.bindTalosconfig(bind)
	bindSpan(bind, &flags.timeout, "timeout", verify.DefaultTimeout, "`time` that an endpoint may take to answer")
	bind.BoolVar(&flags.dryRun, "dry-run", false, "try the endpoints, and leave the talosconfig as it is")

	return cmd
}

func (p *program) access(ctx context.Context, flags *accessFlags) error {
	file, only, err := p.bridge(ctx, &flags.upFlags)
	if err != nil {
		return err
	}

	flags.quiet, flags.authKey = true, authkey.None().String()

	plan, err := p.planOf(ctx, file, &flags.patchFlags, pflag.NewFlagSet("", pflag.ContinueOnError), fleet.PlanOptions{Only: only, NeedsAddress: true}, true)
	if err != nil {
		return err
	}

	connection := flags.connection(nil)

	found, err := fleet.Endpoints(ctx, connection, plan.Plan)
	if err != nil {
		return exitError{err, exitUnseen}
	}

	var endpoints, addresses, own []string

	for _, one := range found {
		addresses = append(addresses, one.Address)

		switch {
		case one.Failure != "":
			p.note("node " + one.Node + " " + one.Failure)
		case one.ControlPlane:
			endpoints, own = append(endpoints, one.Host), append(own, one.Address)
		}
	}

	if len(endpoints) == 0 {
		return exitError{errors.New("no control plane is on the tailnet, and workers pass calls on to nobody: bring one there with talos-tsbridge up"), exitUnseen}
	}

	made, err := flags.makeContext(ctx, connection, endpoints, addresses)
	if err != nil {
		return err
	}

	if made.changed && !flags.dryRun {
		if err := made.write(ctx); err != nil {
			return err
		}
	}

	return p.tryEndpoints(ctx, flags, &accessResult{talosContext: made, endpoints: endpoints, addresses: own})
}

// talosContext is a context in a talosconfig.
type talosContext struct {
	path string
	name string
	// before is the talosconfig as it was, text with the context in it, which changed tells to be new there.
	before, text []byte
	changed      bool
}

// makeContext returns the talosconfig with the new context in it.
func (f *accessFlags) makeContext(ctx context.Context, connection nodes.Connection, endpoints, addresses []string) (*talosContext, error) {
	path, before, err := talosapi.Connection(connection).Find(ctx)
	if err != nil {
		return nil, exitError{err, exitUnseen}
	}

	made := &talosContext{path: path, name: f.newContext, before: before}

	if made.name == "" {
		present := f.context
		if present == "" {
			if present, err = talosapi.CurrentContext(before); err != nil {
				return nil, err
			}
		}

		made.name = present + "-tailnet"
	}

	made.text, made.changed, err = talosapi.AddContext(before, f.context, made.name, endpoints, addresses)
	if errors.Is(err, talosapi.ErrContextDiffers) {
		return nil, usagef("context %s: %w: give another name with --context, or remove it with talosctl config remove %s", made.name, err, made.name)
	}

	return made, err
}

// write writes the file back, which keeps its owner and mode, unless somebody else has changed it.
func (c *talosContext) write(ctx context.Context) error {
	edit, err := atomicfile.Open(ctx, c.path, ctxio.MaxInput)
	if err != nil {
		return err
	}

	if !bytes.Equal(edit.Text(), c.before) {
		return errors.Join(fmt.Errorf("talosconfig %s was changed meanwhile: run talos-tsbridge access again", c.path), edit.Close())
	}

	return errors.Join(edit.Replace(c.text), edit.Close())
}

// accessResult is the context that was made.
type accessResult struct {
	*talosContext

	// endpoints are the control planes over the tailnet, addresses theirs on the LAN.
	endpoints, addresses []string
}

// tryEndpoints calls the Talos API and looks at the certificate of the Kubernetes API of each endpoint, over the tailnet.
func (p *program) tryEndpoints(ctx context.Context, flags *accessFlags, made *accessResult) error {
	var (
		texts    []string
		findings []string
		out      strings.Builder
		failed   int
		unseen   int
	)

	for _, endpoint := range made.endpoints {
		texts = append(texts, "kube://"+hostInURL(endpoint))
	}

	targets, err := verify.ParseTargets(texts...)
	if err != nil {
		return err
	}

	checker := &verify.Checker{Timeout: flags.timeout}
	results := checker.Check(ctx, targets)

	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ENDPOINT\tTALOS\tKUBERNETES") // the buffer takes it

	for i, endpoint := range made.endpoints {
		answer := "answers, certificate fits"

		if err := talosapi.TryContext(ctx, made.text, made.name, endpoint, made.addresses[i], flags.timeout); err != nil {
			answer = "does not answer"

			next := "look whether this machine is on the tailnet: tailscale status"
			unseen++

			if talosapi.IsCertificate(err) {
				answer, next = "certificate does not fit", "let the certificate have the name: certSANs: ["+endpoint+"] at the node in the bridge file, then talos-tsbridge up"
				unseen--
				failed++
			}

			findings = append(findings, endpoint+": "+err.Error()+"\n  next: "+next)
		}

		kube := "answers, certificate fits"
		if !results[i].OK() {
			kube = string(results[i].Outcome)
		}

		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", endpoint, answer, kube)
	}

	if err := table.Flush(); err != nil {
		return err
	}

	for _, finding := range verify.Diagnose(results) {
		findings = append(findings, strings.Join(finding.Subjects, ", ")+": "+finding.Cause+"\n  next: "+strings.Join(finding.Next, "\n  next: "))
	}

	for _, finding := range findings {
		out.WriteString("\n" + finding + "\n")
	}

	out.WriteString("\n" + made.words(flags.dryRun))

	if err := p.print(ctx, []byte(out.String())); err != nil {
		return err
	}

	switch {
	case failed > 0:
		return fmt.Errorf("%s not fit", counted(failed, "certificate does", "certificates do"))
	case unseen > 0:
		return exitError{fmt.Errorf("%s not answer over the tailnet", counted(unseen, "endpoint does", "endpoints do")), exitUnseen}
	}

	return nil
}

// words say what was made, and how kubectl gets the same.
func (r *accessResult) words(dryRun bool) string {
	state := "is new in " + r.path

	switch {
	case !r.changed:
		state = "is in " + r.path + " already"
	case dryRun:
		state = "would be new in " + r.path
	}

	server := "https://" + net.JoinHostPort(r.endpoints[0], "6443")

	return fmt.Sprintf(`Context %[1]s %[2]s:
  talosctl --context %[1]s version

For kubectl, with the credentials of its current context:
  kubectl config set-cluster %[1]s --server=%[3]s --embed-certs --certificate-authority=<(kubectl config view --raw --minify -o jsonpath='{.clusters[0].cluster.certificate-authority-data}' | base64 -d)
  kubectl config set-context %[1]s --cluster=%[1]s --user="$(kubectl config view --minify -o jsonpath='{.contexts[0].context.user}')"
`, r.name, state, server)
}

func hostInURL(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}

	return host
}
