package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

// checker returns the checker that the flags describe.
func (p *program) checker(ctx context.Context, f *verifyFlags) (*verify.Checker, error) {
	var faults []error

	checker := &verify.Checker{Timeout: f.timeout, Wait: f.wait, Parallel: f.parallel, Insecure: f.insecure, From: verify.DetectPlace(p.environment.lookup)}

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
	text, err := p.readInput(ctx, "--ca-file", file)
	if err != nil {
		return nil, unseen(err)
	}

	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, usagef("--ca-file %s holds no certificate: give a file of PEM certificates (-----BEGIN CERTIFICATE-----)", quote.Value(file))
	}

	return pool, nil
}

// wanted reads the patch that nodes are held against, if there is one.
func (p *program) wanted(ctx context.Context, f *verifyFlags) (*nodes.Wanted, error) {
	if f.patchFile == "" || f.file != "" || !f.looksAtNodes() {
		return nil, nil //nolint:nilnil // none is wanted
	}

	text, err := p.readInput(ctx, "--patch", f.patchFile)
	if err != nil {
		return nil, unseen(err)
	}

	wanted, err := nodes.ParseWanted(text)
	if err != nil {
		return nil, usagef("--patch: %w", err)
	}

	return wanted, nil
}
