package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/client"
	"github.com/spf13/cobra"

	"github.com/talos-tsbridge/talos-tsbridge/internal/imagefactory"
	"github.com/talos-tsbridge/talos-tsbridge/internal/imagefactory/nodeimage"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talosapi"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

// schematicFlags are the flags of the command schematic.
type schematicFlags struct {
	from         string
	fromNode     string
	insecure     bool
	talos        talosFlags
	timeout      time.Duration
	extensions   []string
	kernelArgs   []string
	overlay      string
	id           bool
	image        bool
	secureBoot   bool
	platform     string
	talosVersion string
	factory      string
	quiet        bool
}

func (p *program) schematicCommand() *cobra.Command {
	flags := &schematicFlags{}

	cmd := &cobra.Command{
		Use:   "schematic",
		Short: "Print the Image Factory schematic with the tailscale extension, its ID, or the installer image",
		Long: `Prints the schematic of a Talos image with the tailscale system extension, in the form that Image Factory takes, or with
--id its ID, or with --image the reference of its installer image. Nothing is sent to Image Factory.

It starts from nothing, from a schematic file (--from), or from the image that a node runs (--from-node). What is there
already stays, in its order, and tailscale comes in. A node that waits for its first config is asked with --insecure.`,
		Example: `  talos-tsbridge schematic | curl -X POST --data-binary @- https://factory.talos.dev/schematics
  talos-tsbridge schematic --image --talos-version v1.14.1
  talos-tsbridge schematic --from schematic.yaml --overlay sbc-raspberrypi,rpi_generic
  talosctl upgrade --nodes 192.168.1.11 --image "$(talos-tsbridge schematic --from-node 192.168.1.11 --image --talos-version v1.14.1)"`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.printSchematic(cmd, flags) },
	}

	set := cmd.Flags()
	set.SortFlags = false
	set.StringVar(&flags.from, "from", "", "start from the schematic in `file`, - for standard input")
	set.StringVar(&flags.fromNode, "from-node", "", "start from the image that the node at `address` runs, asked through the Talos API")
	set.BoolVarP(&flags.insecure, "insecure", "i", false, "with --from-node: the node is in maintenance mode, and asked without credentials")
	leaveVariable(cmd, "insecure")
	set.StringArrayVar(&flags.extensions, "extension", nil, "further system extension, `NAME`, such as siderolabs/iscsi-tools; can be repeated")
	set.StringArrayVar(&flags.kernelArgs, "kernel-arg", nil, "kernel `argument`, such as console=ttyS0; can be repeated")
	set.StringVar(&flags.overlay, "overlay", "", "overlay of a board, `IMAGE[,NAME[,OPTION=VALUE...]]`, such as sbc-raspberrypi,rpi_generic")
	set.BoolVar(&flags.id, "id", false, "print the ID instead")
	set.BoolVar(&flags.image, "image", false, "print the installer image instead")
	set.StringVar(&flags.talosVersion, "talos-version", "", "with --image: exact `version` of Talos, such as v1.14.1 (default: that of --from-node)")
	set.StringVar(&flags.platform, "platform", imagefactory.DefaultPlatform, "with --image: `platform` of the machines, as Image Factory names it; with --from-node: that of the node")
	set.BoolVar(&flags.secureBoot, "secureboot", false, "with --image: the image for SecureBoot; with --from-node: as the node was booted")
	set.StringVar(&flags.factory, "factory", imagefactory.DefaultHost, "`host` of the Image Factory, or of a mirror of its registry, with an optional port and path")
	flags.talos.bindConnection(set)
	bindSpan(set, &flags.timeout, "timeout", nodes.DefaultTimeout, "with --from-node: `time` that the node may take to answer")
	bindQuiet(cmd, &flags.quiet)

	return cmd
}

func (p *program) printSchematic(cmd *cobra.Command, flags *schematicFlags) error {
	factory, err := flags.check(cmd)
	if err != nil {
		return err
	}

	choices := imagefactory.Choices{Extensions: flags.extensions, KernelArgs: flags.kernelArgs, Overlay: flags.overlay}
	installer := imagefactory.Installer{Factory: factory, Version: flags.talosVersion, Platform: flags.platform, SecureBoot: flags.secureBoot}

	switch {
	case flags.from != "":
		if choices.From, err = p.readInput(cmd.Context(), "--from", flags.from); err != nil {
			return err
		}
	case flags.fromNode != "":
		running, err := flags.askNode(cmd.Context())
		if err != nil {
			return fmt.Errorf("node %s: %w", flags.fromNode, err)
		}

		if choices.From, err = running.SchematicText(); err != nil {
			return fmt.Errorf("node %s: %w", flags.fromNode, err)
		}

		if !running.FromFactory() && !flags.quiet {
			p.note("the image of the node was not made by Image Factory: give the kernel arguments that it was made with as --kernel-arg")
		}

		flags.complete(cmd, &installer, running)
	}

	made, err := imagefactory.New(choices)
	if err != nil {
		return usageError{err}
	}

	text := string(made.Bytes())

	switch {
	case flags.id:
		text = made.ID() + "\n"
	case flags.image:
		image, err := installer.Image(made)
		if err != nil {
			return usageError{err}
		}

		text = image + "\n"
	}

	if !flags.quiet {
		if flags.id || flags.image {
			p.note("Image Factory knows a schematic once it was sent there: talos-tsbridge schematic with the same flags, without --id and --image | curl -X POST --data-binary @- " + factory.SchematicsURL())
		} else if made.EmbedsConfig() {
			p.note("the schematic embeds a machine config, with the secrets in it")
		}
	}

	return p.print(cmd.Context(), []byte(text))
}

// check refuses flags that do not go together.
func (f *schematicFlags) check(cmd *cobra.Command) (imagefactory.Factory, error) {
	faults := []error{checkRanges(cmd.Flags())}

	if f.id && f.image {
		faults = append(faults, errors.New("--id or --image, not both"))
	}

	if f.from != "" && f.fromNode != "" {
		faults = append(faults, errors.New("--from or --from-node, not both"))
	}

	if f.insecure && f.fromNode == "" {
		faults = append(faults, errors.New("--insecure is about a node in maintenance mode: name it with --from-node"))
	}

	for _, name := range []string{"endpoints", "talosconfig", "context"} {
		if f.insecure && isGiven(cmd.Flags(), name) {
			faults = append(faults, fmt.Errorf("--insecure or --%s, not both: a node in maintenance mode is asked directly, and without credentials", name))
		}
	}

	if f.image && f.talosVersion == "" && f.fromNode == "" {
		faults = append(faults, errors.New("--image is of an exact version of Talos: add --talos-version, such as v1.14.1"))
	}

	for _, name := range []string{"secureboot", "platform"} {
		if isGiven(cmd.Flags(), name) && !f.image {
			faults = append(faults, fmt.Errorf("--%s is about the installer image: add --image", name))
		}
	}

	factory, err := imagefactory.ParseFactory(f.factory)
	if err != nil {
		faults = append(faults, err)
	}

	if err := errors.Join(faults...); err != nil {
		return factory, usageError{err}
	}

	return factory, nil
}

// complete takes from the node what no flag says about the installer.
func (f *schematicFlags) complete(cmd *cobra.Command, installer *imagefactory.Installer, running nodeimage.Image) {
	if f.talosVersion == "" {
		installer.Version = running.Version
	}

	if !cmd.Flags().Changed("platform") && running.Platform != "" {
		installer.Platform = running.Platform
	}

	if !cmd.Flags().Changed("secureboot") {
		installer.SecureBoot = running.SecureBoot
	}
}

// askNode asks the node what it runs.
func (f *schematicFlags) askNode(ctx context.Context) (nodeimage.Image, error) {
	if f.insecure {
		return f.askWaitingNode(ctx)
	}

	image, err := f.askClusterNode(ctx)
	if err != nil {
		const soon = 2 * time.Second // one that waits answers at once

		ctx, cancel := context.WithTimeout(ctx, soon)
		defer cancel()

		if _, waits := f.askWaitingNode(ctx); waits == nil {
			return image, errors.New("it waits for its first config, and has no credentials to be asked with: add --insecure")
		}
	}

	return image, err
}

func (f *schematicFlags) askWaitingNode(ctx context.Context) (nodeimage.Image, error) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()

	node, err := talosapi.Maintenance(ctx, f.fromNode)
	if err != nil {
		return nodeimage.Image{}, err
	}

	defer func() { _ = node.Close() }() // nothing is lost with it

	return nodeimage.Read(ctx, node.Machinery())
}

func (f *schematicFlags) askClusterNode(ctx context.Context) (nodeimage.Image, error) {
	talos, err := talosapi.Connect(ctx, talosapi.Connection(f.talos.connection([]string{f.fromNode})))
	if err != nil {
		return nodeimage.Image{}, err
	}

	defer func() { _ = talos.Close() }() // nothing is lost with it

	ctx, cancel := context.WithTimeout(client.WithNode(ctx, f.fromNode), f.timeout)
	defer cancel()

	return nodeimage.Read(ctx, talos.Machinery())
}
