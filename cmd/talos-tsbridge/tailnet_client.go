package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

// client returns the tailnet that the credentials in the environment lead to.
func (p *program) client(flags tailnetFlags) (*tailnet.Client, error) {
	client, err := tailnet.FromEnv(p.environment.lookup)
	if err != nil {
		return nil, usageError{err}
	}

	client.UserAgent = "talos-tsbridge/" + moduleVersion()

	if flags.tailnet != "" {
		client.Tailnet = flags.tailnet
	}

	if !flags.quiet {
		client.OnRetry = func(err error, wait time.Duration) {
			p.note(fmt.Sprintf("%v: trying again in %s", err, wait.Round(time.Millisecond)))
		}
	}

	if strings.HasPrefix(client.BaseURL, "http://") && !flags.quiet {
		p.plain.Do(func() { p.note("the API is called without TLS: the credential and the key can be read on the way") })
	}

	return client, nil
}

// readyClient is client once it was checked, and its credential read.
func (p *program) readyClient(ctx context.Context, flags tailnetFlags) (*tailnet.Client, error) {
	client, err := p.client(flags)
	if err != nil {
		return nil, err
	}

	if err := client.Check(); err != nil {
		return nil, usageError{err}
	}

	return client, client.Credential.Load(ctx)
}
