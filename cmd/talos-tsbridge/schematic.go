package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/talos-tsbridge/talos-tsbridge/internal/imagefactory"
)

// schematicFlags are the flags of the command schematic.
type schematicFlags struct {
	extensions   []string
	kernelArgs   []string
	id           bool
	image        bool
	secureBoot   bool
	platform     string
	talosVersion string
	quiet        bool
}

func (p *program) schematicCommand() *cobra.Command {
	flags := &schematicFlags{}

	cmd := &cobra.Command{
		Use:   "schematic",
		Short: "Print the Image Factory schematic with the tailscale extension, its ID, or the installer image",
		Long: `Prints the schematic of a Talos image that holds the tailscale system extension, in the form that Image Factory takes, or with
--id its ID, or with --image the installer image of it. Nothing is sent anywhere.`,
		Example: `  talos-tsbridge schematic | curl -X POST --data-binary @- https://factory.talos.dev/schematics
  talos-tsbridge schematic --image --talos-version v1.14.1`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.printSchematic(cmd, flags) },
	}

	set := cmd.Flags()
	set.SortFlags = false
	set.StringArrayVar(&flags.extensions, "extension", nil, "further system extension, `NAME`, such as siderolabs/iscsi-tools; can be repeated")
	set.StringArrayVar(&flags.kernelArgs, "kernel-arg", nil, "kernel `argument`, such as console=ttyS0; can be repeated")
	set.BoolVar(&flags.id, "id", false, "print the ID instead")
	set.BoolVar(&flags.image, "image", false, "print the installer image instead, of --talos-version")
	set.BoolVar(&flags.secureBoot, "secureboot", false, "with --image: the image for SecureBoot")
	set.StringVar(&flags.platform, "platform", imagefactory.DefaultPlatform, "with --image: `platform` of the machines, as Image Factory names it")
	set.StringVar(&flags.talosVersion, "talos-version", "", "with --image: whole `version` of Talos, such as v1.14.1")
	set.BoolVar(&flags.quiet, "quiet", false, "no notes on standard error")

	return cmd
}

func (p *program) printSchematic(cmd *cobra.Command, flags *schematicFlags) error {
	if flags.id && flags.image {
		return usagef("--id or --image, not both")
	}

	for _, name := range []string{"secureboot", "platform"} {
		if cmd.Flags().Changed(name) && !flags.image {
			return usagef("--%s is about the installer image: add --image", name)
		}
	}

	made, err := imagefactory.New(flags.extensions, flags.kernelArgs)
	if err != nil {
		return usageError{err}
	}

	text := string(made.Bytes())

	switch {
	case flags.id:
		text = made.ID() + "\n"
	case flags.image:
		image, err := made.InstallerImage(flags.talosVersion, flags.platform, flags.secureBoot)
		if err != nil {
			return usageError{err}
		}

		text = image + "\n"
	}

	if (flags.id || flags.image) && !flags.quiet {
		p.note("Image Factory knows a schematic once it was sent there: talos-tsbridge schematic with the same flags | curl -X POST --data-binary @- " +
			"https://" + imagefactory.Host + "/schematics")
	}

	if _, err := fmt.Fprint(p.stdout, text); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}

	return nil
}
