package tailnet

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/command"
	"github.com/talos-tsbridge/talos-tsbridge/internal/ctxio"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// reader returns a secret.
type reader func(context.Context) (string, error)

// maxSecret bounds what is read as a secret, in bytes. Identity tokens with many claims have a few thousand.
const maxSecret = 64 << 10

// readerOf returns the reader of what a user gave: the secret itself, "file:PATH", or "exec:COMMAND ARG...". The secret is
// checked at once where it is there, and else when it is read.
func readerOf(what, text string, check func(string) (string, error)) (reader, error) {
	text = strings.TrimSpace(text)

	if path, ok := strings.CutPrefix(text, "file:"); ok {
		switch {
		case path == "":
			return nil, errors.New("file: needs the path of the file that holds the " + what)
		case secret.Is(path):
			return nil, errors.New("file: takes the path of the file that holds the " + what + ", not the secret itself")
		}

		return func(ctx context.Context) (string, error) {
			content, err := ctxio.ReadFile(ctx, path, maxSecret)
			if err != nil {
				return "", fmt.Errorf("the %s: %w", what, err)
			}

			return named(path, check)(string(content))
		}, nil
	}

	if line, ok := strings.CutPrefix(text, "exec:"); ok {
		if _, err := command.Split(line); err != nil {
			return nil, fmt.Errorf("exec: %w", err)
		}

		return func(ctx context.Context) (string, error) {
			output, err := command.Runner{}.Output(ctx, line, maxSecret)
			if err != nil {
				return "", fmt.Errorf("the %s: %w", what, err)
			}

			return named("the program's output", check)(output)
		}, nil
	}

	checked, err := check(text)
	if err != nil {
		return nil, err
	}

	return func(context.Context) (string, error) { return checked, nil }, nil
}

func named(source string, check func(string) (string, error)) func(string) (string, error) {
	return func(text string) (string, error) {
		checked, err := check(text)
		if err != nil {
			return "", fmt.Errorf("%s: %w", source, err)
		}

		return checked, nil
	}
}

// once returns a reader that reads until it has the secret, and keeps it.
func once(read reader) reader {
	var (
		turn = make(chan struct{}, 1)
		kept func() string
	)

	return func(ctx context.Context) (string, error) {
		select {
		case turn <- struct{}{}:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}

		defer func() { <-turn }()

		if kept == nil {
			text, err := read(ctx)
			if err != nil {
				return "", err
			}

			kept = func() string { return text }
		}

		return kept(), nil
	}
}
