package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// bridgeFlags are the flags of the commands that read a bridge file.
type bridgeFlags struct {
	file string
}

const onceFile = "-f is given twice: a bridge file is of one cluster, so run the command once for each"

func (f *bridgeFlags) bindFile(cmd *cobra.Command, usage string) {
	cmd.Flags().VarP(&onceFlag{value: &f.file, instead: onceFile}, "file", "f", usage)
}

// fleetPlan is the plan of a bridge file, or of nodes that flags name, with what it takes to run it.
type fleetPlan struct {
	*fleet.Plan

	keys fleet.Keys
	// keysLater tells that a node which has no source of a key is told so only when it needs one.
	keysLater bool
	// keyTags are those that flags give the keys of all nodes.
	keyTags []string
	// single counts the nodes of each key that serves one node only, and forOne are the nodes whose keys are such.
	single map[string]int
	forOne map[*fleet.Node]bool
}

// planOf checks the file with the flags over it, all of it, and mints nothing.
func (p *program) planOf(
	ctx context.Context, file *fleet.File, flags *patchFlags, given *pflag.FlagSet, options fleet.PlanOptions, keysLater bool,
) (*fleetPlan, error) {
	if err := errors.Join(flags.faults...); err != nil {
		return nil, err
	}

	options.Over, options.Unset, options.ReadFile = flags.settings, flags.unset, p.readFile

	from := *flags
	from.staticHostsFrom = slices.Concat(file.StaticHostsFrom, flags.staticHostsFrom)
	from.settings = file.Defaults.Merge(flags.settings)

	// what is wrong without the static hosts is told before anything is asked for them
	if _, err := file.Plan(options); err != nil {
		return nil, cmp.Or[error](context.Cause(ctx), usageError{err})
	}

	hosts, err := p.staticHosts(ctx, &from)
	if err != nil {
		return nil, err
	}

	options.Over.StaticHosts = hosts.over(options.Over.StaticHosts)

	plan, err := file.Plan(options)
	if err != nil {
		return nil, usageError{err}
	}

	if !flags.quiet {
		p.note(hosts.notes...)

		notes := plan.Notes()
		if keysLater { // what a patch means is told of each node, by the config that it goes into
			notes = slices.DeleteFunc(notes, func(note fleet.Note) bool {
				return note.Code != fleet.NoteAddressOutside && note.Code != fleet.NoteRouteTwice
			})
		}

		p.noteOnNodes(notes, plan.Len())

		if !keysLater && (len(file.Unset) > 0 || slices.ContainsFunc(file.Nodes, func(node fleet.Node) bool { return len(node.Unset) > 0 })) {
			p.note("unset is for talos-tsbridge up: a patch takes nothing out of a machine config")
		}
	}

	made := &fleetPlan{Plan: plan, keysLater: keysLater}
	if flags.key.tags != "" {
		made.keyTags = []string{flags.key.tags}
	}

	return made, p.setKeys(ctx, made, flags, given)
}

// noteOnNodes tells what is worth knowing about nodes, with their names where it is not all of them.
func (p *program) noteOnNodes(notes []fleet.Note, all int) {
	for _, note := range notes {
		p.note(fleet.Subjects(note.Nodes, all) + inFlags(note.Text))
	}
}

// onlyOf returns the names of nodes that are given by name or address, and refuses those that the file does not have: then the
// names are those of the others.
func onlyOf(file *fleet.File, path string, nodes []string) ([]string, error) {
	var names, unknown []string

	for _, given := range nodes {
		i := slices.IndexFunc(file.Nodes, func(node fleet.Node) bool { return node.Name == given || node.Address == given })
		if i < 0 {
			unknown = append(unknown, quote.Value(given))
		} else {
			names = append(names, file.Nodes[i].Name)
		}
	}

	if len(unknown) > 0 {
		return names, usagef("%s has no node %s: write names or addresses that it has", path, strings.Join(unknown, ", "))
	}

	return names, nil
}

// bridgeOutput are the flags of patch that say which patches of the file are printed.
type bridgeOutput struct {
	bridgeFlags

	node      string
	outputDir string
}

func (f *bridgeOutput) bind(cmd *cobra.Command) {
	f.bindFile(cmd, "make the patches of the nodes in this bridge `file`")
	cmd.Flags().Var(&onceFlag{value: &f.node, instead: "--node is given twice: choose one node, or write the patches of all with --output-dir DIR"}, "node", "with -f: the `name` of the node whose patch is printed")
	cmd.Flags().StringVar(&f.outputDir, "output-dir", "", "with -f: write the patch of each node to NAME.yaml in this `folder`, readable by its owner only")
}

// printFleet prints the patch of one node of the file, or writes those of all.
func (p *program) printFleet(ctx context.Context, flags *patchFlags, given *pflag.FlagSet, output *bridgeOutput, format string) error {
	if _, err := destinationOf(flags.output); err != nil {
		return err
	}

	file, err := p.loadBridge(ctx, output.file)
	if err != nil {
		return err
	}

	switch {
	case output.node != "" && output.outputDir != "":
		return usagef("--node prints one patch and --output-dir writes those of all nodes: give one of them")
	case secret.Is(output.outputDir):
		return usagef("--output-dir takes the name of a folder, and what was given looks like a key")
	case output.outputDir != "" && flags.output != "":
		return usagef("--output is for one patch and --output-dir for those of all nodes: give one of them")
	case output.outputDir != "" && format != formatYAML:
		return usagef("--format %s prints the patches of all nodes and --output-dir writes a file for each: give one of them", format)
	case output.node == "" && output.outputDir == "" && format == formatYAML && len(file.Nodes) != 1:
		return usagef("%s has %d nodes: choose one with --node NAME, write all with --output-dir DIR, or print all with --format json", output.file, len(file.Nodes))
	case output.outputDir == "-":
		return usagef("--output-dir takes a folder, and - is standard output: print the patches of all nodes with --format json")
	case flags.base != "" || flags.replace:
		return usagef("--base and --replace are for one machine config: leave them out, or -f")
	}

	options := fleet.PlanOptions{}

	if output.node != "" {
		if options.Only, err = onlyOf(file, output.file, []string{output.node}); err != nil {
			return err
		}
	}

	plan, err := p.planOf(ctx, file, flags, given, options, false)
	if err != nil {
		return err
	}

	if err := plan.checkSingle(); err != nil {
		return err
	}

	if format == formatJSON {
		return p.printAll(ctx, flags, plan)
	}

	if output.outputDir == "" {
		_, err := fleet.Run(ctx, plan.Plan, printed{p, flags}, fleet.RunOptions{Keys: plan.keys})

		return unwrapNode(err)
	}

	files := &fleet.Files{Dir: output.outputDir, Redacted: flags.redact}
	if err := files.Prepare(); err != nil {
		return err
	}

	summary, err := fleet.Run(ctx, plan.Plan, files, fleet.RunOptions{Keys: plan.keys})
	p.noteOnRun(summary, flags.quiet)

	return err
}

// noteOnRun says which nodes are done, where not all are.
func (p *program) noteOnRun(summary fleet.Summary, quiet bool) {
	if len(summary.Failed) == 0 && summary.NotBegun == 0 || quiet {
		return
	}

	text := counted(summary.Delivered, "node is", "nodes are") + " done"
	if len(summary.Failed) > 0 {
		text += fmt.Sprintf(", %d failed (%s)", len(summary.Failed), strings.Join(summary.Failed, ", "))
	}

	p.note(text + notBegun(summary.NotBegun))
}

// unwrapNode leaves the name of the node out of the error of the only one.
func unwrapNode(err error) error {
	if failed, ok := errors.AsType[*fleet.NodeError](err); ok {
		return failed.Err
	}

	return err
}

// printed is a sink that prints.
type printed struct {
	program *program
	flags   *patchFlags
}

func (p printed) Deliver(ctx context.Context, delivery *fleet.Delivery) error {
	text, err := render(delivery.Patch, p.flags.redact)
	if err != nil {
		return err
	}

	return p.program.write(ctx, p.flags.output, text)
}

// keyForOne says how to call the key of a node where that registers one node, and "" for any other.
func (f *fleetPlan) keyForOne(node *fleet.Node) string {
	if f.forOne[node] {
		return "the auth key in it"
	}

	return ""
}

// checkSingle refuses a plan in which a key that serves one node would have to serve several.
func (f *fleetPlan) checkSingle() error {
	var faults []error

	for source, count := range f.single {
		if count > 1 {
			faults = append(faults, usagef("the auth key from %s would have to serve %d nodes: mint one for each (authKey: {source: mint}), "+
				"or say that it is reusable: --key-reusable, or reusable: true beside its source", source, count))
		}
	}

	return errors.Join(faults...)
}

// isForOne reports whether a key that is given serves one node, as far as its form tells: whether a key is reusable, it does
// not.
func isForOne(key authkey.Key) bool {
	return slices.Contains([]authkey.Kind{authkey.KindAuth, authkey.KindPreAuth}, key.Kind())
}
