package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/spf13/cobra"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talosctl"
)

// completeValues offers values of a flag. Behind a whole one comes a blank, behind one that goes on none.
func completeValues(cmd *cobra.Command, flag string, values ...string) {
	complete(cmd, flag, func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		return startingWith(values, begun)
	})
}

func complete(cmd *cobra.Command, flag string, function cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, function); err != nil {
		panic(err) // the flag does not exist: a mistake of the caller
	}
}

func startingWith(values []string, begun string) ([]string, cobra.ShellCompDirective) {
	var (
		fit       []string
		directive = cobra.ShellCompDirectiveNoFileComp
	)

	for _, value := range values {
		if strings.HasPrefix(value, begun) {
			fit = append(fit, value)
		}
	}

	goesOn := func(value string) bool { return strings.HasSuffix(value, ":") || strings.HasSuffix(value, "=") }
	if len(fit) > 0 && !slices.ContainsFunc(fit, func(value string) bool { return !goesOn(value) }) {
		directive |= cobra.ShellCompDirectiveNoSpace
	}

	return fit, directive
}

// completeEverywhere offers values for flags that several commands have.
func (p *program) completeEverywhere(cmd *cobra.Command) {
	if cmd.Flags().Lookup("talos-version") != nil && cmd.Name() != "schematic" {
		completeValues(cmd, "talos-version", contracts()...)
	}

	if cmd.Flags().Lookup("context") != nil {
		complete(cmd, "context", func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
			var file string
			if flag := cmd.Flags().Lookup("talosconfig"); flag != nil {
				file = flag.Value.String()
			}

			names, err := talosapi.Connection{Talosconfig: file}.Contexts(cmd.Context())
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}

			return startingWith(names, begun)
		})
	}

	for _, child := range cmd.Commands() {
		p.completeEverywhere(child)
	}
}

// contracts are the contracts that patches are made for, the newest first.
func contracts() []string {
	var all []string

	for minor := contract.Newest.Minor; minor >= contract.Oldest.Minor; minor-- {
		all = append(all, (&config.VersionContract{Major: contract.Newest.Major, Minor: minor}).String())
	}

	return all
}

// completeCommand offers the programs to run, and what stands for the patch among their arguments.
func (p *program) completeCommand(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	switch {
	case len(args) > 0 && strings.HasPrefix(begun, "@"):
		return startingWith([]string{talosctl.StandIn}, begun)
	case len(args) > 0 || strings.ContainsRune(begun, filepath.Separator):
		return nil, cobra.ShellCompDirectiveDefault
	}

	var names []string

	for _, folder := range filepath.SplitList(p.environment["PATH"]) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			continue // as a shell does
		}

		for _, entry := range entries {
			if name := entry.Name(); strings.HasPrefix(name, begun) && !entry.IsDir() {
				names = append(names, name)
			}
		}
	}

	slices.Sort(names)

	return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
}
