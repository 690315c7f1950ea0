package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/talos-tsbridge/talos-tsbridge/internal/contract"
)

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, and the Talos versions it makes patches for",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(p.stdout, "talos-tsbridge %s\nTalos %s to %s (machinery %s)\n%s %s/%s\n",
				moduleVersion(), contract.Oldest, contract.Newest, machineryVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)

			return err
		},
	}
}

// moduleVersion returns the version that go install was given, or "(devel)" for a build from a checkout.
func moduleVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}

	return "(devel)"
}

func machineryVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/siderolabs/talos/pkg/machinery" {
				return module.Version
			}
		}
	}

	return "unknown"
}
