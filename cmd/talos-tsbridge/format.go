package main

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"github.com/siderolabs/go-pointer"
	"golang.org/x/sync/errgroup"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

// The forms of what patch prints.
const (
	formatYAML = "yaml"
	formatJSON = "json"
)

func checkFormat(format string) error {
	if format != formatYAML && format != formatJSON {
		return usagef("format %s is unknown: write yaml or json", quote.Value(format))
	}

	return nil
}

// nameless is the name of the patch of nodes that no hostname tells apart.
const nameless = "patch"

// inFormat returns the text of a patch in the form that was asked for.
func inFormat(format string, text []byte, hostname *string) ([]byte, error) {
	if format == formatYAML {
		return text, nil
	}

	name := pointer.SafeDeref(hostname)
	if name == "" {
		name = nameless
	}

	return encodePatches(map[string]string{name: string(text)})
}

// encodePatches returns one JSON object: the patches as YAML texts, by the names of their nodes.
func encodePatches(texts map[string]string) ([]byte, error) {
	var buffer bytes.Buffer

	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")

	err := encoder.Encode(texts)

	return buffer.Bytes(), err
}

// printAll prints the patches of all nodes of a plan as one JSON object. Their keys are delivered together or not at all.
func (p *program) printAll(ctx context.Context, flags *patchFlags, plan *fleetPlan) (err error) {
	leases := make([]fleet.Lease, plan.Len())
	texts := make([][]byte, plan.Len())

	defer func() {
		made := slices.DeleteFunc(slices.Clone(leases), func(lease fleet.Lease) bool { return lease == nil })
		err = releasing(ctx, err, made...)
	}()

	const atATime = 8

	var group errgroup.Group

	group.SetLimit(atATime)

	for i := range plan.Len() {
		group.Go(func() error {
			lease, err := plan.keys.Lease(ctx, i)
			if err != nil {
				return err
			}

			leases[i] = lease

			made, err := plan.Patch(i, lease.Key())
			if err != nil {
				return err
			}

			texts[i], err = render(made, flags.redact)

			return err
		})
	}

	if err := group.Wait(); err != nil {
		return err
	}

	named := map[string]string{}
	for i, text := range texts {
		named[plan.Node(i).Name] = string(text)
	}

	text, err := encodePatches(named)
	if err != nil {
		return err
	}

	if err := p.write(ctx, flags.output, text); err != nil {
		return err
	}

	for _, lease := range leases {
		lease.Keep()
	}

	return nil
}
