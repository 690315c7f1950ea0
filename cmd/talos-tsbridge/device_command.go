package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

func (p *program) deviceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "device",
		Short: "List the devices of the tailnet, or remove one",
		Long: `Lists the devices of the tailnet, or removes one that is left over, through the Tailscale API.

The credentials come from the environment: ` + tailnet.EnvUsage + `.
An OAuth client needs the scope devices:core.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("%s needs a command: list or remove", cmd.CommandPath())
		},
	}

	cmd.AddCommand(p.deviceListCommand(), p.deviceRemoveCommand())

	return cmd
}

func (p *program) deviceListCommand() *cobra.Command {
	var (
		flags      tailnetFlags
		tags, form string
	)

	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the devices, with tags, routes, presence and key expiry",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.listDevices(cmd.Context(), flags, tags, form)
		},
	}

	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&tags, "tags", "", "only devices with one of these tags, a comma-separated `list`")
	bindForm(cmd, &form)
	flags.bind(cmd)

	return cmd
}

// bindForm binds the flag for the form of a list.
func bindForm(cmd *cobra.Command, form *string) {
	cmd.Flags().StringVarP(form, "output", "o", outputTable, "`form` of the output: table or json")
	completeValues(cmd, "output", outputTable, outputJSON)
}

func checkForm(form string) error {
	if form != outputTable && form != outputJSON {
		return usagef("--output %s is unknown: write table or json", quote.Value(form))
	}

	return nil
}

func (p *program) listDevices(ctx context.Context, flags tailnetFlags, tags, form string) error {
	if err := checkForm(form); err != nil {
		return err
	}

	var (
		wanted []string
		err    error
	)

	if tags != "" {
		if wanted, err = tailaddr.ParseTags([]string{tags}); err != nil {
			return usagef("--tags: %w", err)
		}
	}

	client, err := p.readyClient(ctx, flags)
	if err != nil {
		return err
	}

	devices, err := client.Devices(ctx)
	if err != nil {
		return err
	}

	devices = slices.DeleteFunc(devices, func(device tailnet.Device) bool {
		return wanted != nil && !slices.ContainsFunc(device.Tags, func(tag string) bool { return slices.Contains(wanted, tag) })
	})

	return p.writeList(ctx, form, map[string]any{"devices": devices}, func(table tableWriter) { table.deviceRows(devices) })
}

// writeList writes a list whole, as JSON or as a table.
func (p *program) writeList(ctx context.Context, form string, list any, table func(tableWriter)) error {
	var (
		text  bytes.Buffer
		shown []byte
	)

	if form == outputJSON {
		encoder := json.NewEncoder(&text)
		encoder.SetIndent("", "  ")

		if err := encoder.Encode(list); err != nil {
			return fmt.Errorf("encoding the list: %w", err)
		}

		shown = printable.JSON(text.Bytes())
	} else {
		table(tableWriter{out: &text, colour: p.wantsColour()})
		shown = text.Bytes()
	}

	return p.print(ctx, shown)
}

func (p *program) deviceRemoveCommand() *cobra.Command {
	var (
		flags      tailnetFlags
		yes, force bool
	)

	cmd := &cobra.Command{
		Use:   "remove NAME|ID",
		Short: "Remove a device that is left over, such as that of a node before it was rebuilt",
		Long: `Shows the device of a name in MagicDNS or an ID, and with --yes removes it from the tailnet.

A device that is connected, or was in the last two minutes by the server's clock, is not removed without --force; one that
another tailnet shares, never; nor one whose name may mean several devices: then give the ID.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("%s needs one name or ID of a device, as device list shows them", cmd.CommandPath())
			}

			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.removeDevice(cmd.Context(), flags, args[0], yes, force)
		},
	}

	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVar(&yes, "yes", false, "remove it, and do not only show it")
	cmd.Flags().BoolVar(&force, "force", false, "remove it although it is connected")
	flags.bind(cmd)

	return cmd
}

func (p *program) removeDevice(ctx context.Context, flags tailnetFlags, nameOrID string, yes, force bool) error {
	client, err := p.readyClient(ctx, flags)
	if err != nil {
		return err
	}

	devices, err := client.Devices(ctx)
	if err != nil {
		return err
	}

	device, err := tailnet.SelectDevice(devices, nameOrID)
	if err != nil {
		return err
	}

	if err := p.writeList(ctx, outputTable, nil, func(table tableWriter) { table.deviceRows([]tailnet.Device{device}) }); err != nil {
		return err
	}

	if !yes {
		return usagef("nothing was removed: --yes removes device %s", device.ID)
	}

	if err := client.RemoveDevice(ctx, device, force); err != nil {
		return err
	}

	if !flags.quiet {
		p.note("removed device " + device.String() + " (ID " + device.ID + ")")
	}

	return nil
}

func (t tableWriter) deviceRows(devices []tailnet.Device) {
	rows := [][]string{{"STATE", "DEVICE", "ID", "ADDRESSES", "TAGS", "LAST SEEN", "KEY EXPIRY", "ROUTES"}}

	for _, device := range devices {
		seen, expiry := "now", "never"

		if !device.LastSeen.IsZero() {
			seen = device.LastSeen.UTC().Format(time.RFC3339)
		}

		if !device.Expires.IsZero() {
			expiry = device.Expires.UTC().Format(time.RFC3339)
		}

		rows = append(rows, []string{
			stateOf(device), device.Name, device.ID, addresses(device.Addresses), orDash(strings.Join(device.Tags, ",")),
			seen, expiry, orDash(routes(device)),
		})
	}

	t.rows(rows, func(i int) int {
		if stateOf(devices[i]) == "online" {
			return green
		}

		return yellow
	})
}

func stateOf(device tailnet.Device) string {
	switch {
	case device.Shared:
		return "shared"
	case !device.Authorized:
		return "waiting"
	case !device.LastSeen.IsZero():
		return "offline"
	}

	return "online"
}

// routes lists the subnets that a device offers to route to, and says of each whether the tailnet uses it.
func routes(device tailnet.Device) string {
	var texts []string

	for _, route := range device.AdvertisedRoutes {
		text := route.String()
		if !slices.Contains(device.EnabledRoutes, route) {
			text += " (not enabled)"
		}

		texts = append(texts, text)
	}

	for _, route := range device.EnabledRoutes {
		if !slices.ContainsFunc(device.AdvertisedRoutes, func(advertised netip.Prefix) bool { return advertised == route }) {
			texts = append(texts, route.String()+" (not advertised)")
		}
	}

	return strings.Join(texts, ", ")
}
