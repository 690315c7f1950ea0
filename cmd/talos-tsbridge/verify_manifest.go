package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"

	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

// printManifest prints the Job, and says on standard error how to run it and read its log.
func (p *program) printManifest(ctx context.Context, flags *verifyFlags, targets []verify.Target, magicDNS netip.AddrPort) error {
	options := verify.ManifestOptions{
		Name: cmp.Or(flags.name, verify.JobName()), From: verify.Place(flags.from), OnNode: flags.onNode, Image: flags.image,
		Timeout: flags.timeout, Wait: flags.wait, Insecure: flags.insecure, MagicDNS: magicDNS,
	}

	if flags.caFile != "" {
		var err error
		if options.CAs, err = p.readInput(ctx, "--ca-file", flags.caFile); err != nil {
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

	if err := p.print(ctx, text); err != nil {
		return err
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
