package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/internal/atomicfile"
	"github.com/talos-tsbridge/talos-tsbridge/internal/ctxio"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// configSource is a machine config, and the file that it can be written back to.
type configSource struct {
	config *patch.Config
	edit   *atomicfile.Edit
}

// openConfig reads the machine config FILE, or standard input for "-". With inPlace it can be written back: other runs that
// would write to the same file wait until it is closed.
func (p *program) openConfig(ctx context.Context, file string, inPlace bool) (*configSource, error) {
	if !inPlace {
		text, err := p.readInput(ctx, "", file)
		if err != nil {
			return nil, err
		}

		config, err := parseConfig(text)

		return &configSource{config: config}, err
	}

	if secret.Is(file) {
		return nil, usagef("the command takes the name of a file, and what was given looks like a key")
	}

	if _, ok := descriptorOf(file); ok {
		return nil, usagef("--in-place needs the name of a file: %s is what is open here", file)
	}

	edit, err := atomicfile.Open(ctx, file, ctxio.MaxInput)
	if err != nil {
		return nil, err
	}

	config, err := parseConfig(edit.Text())
	if err != nil {
		return nil, errors.Join(err, edit.Close())
	}

	return &configSource{config: config, edit: edit}, nil
}

// readBase reads the machine config of --base.
func (p *program) readBase(ctx context.Context, file string) (*patch.Config, error) {
	text, err := p.readInput(ctx, "--base", file)
	if err != nil {
		return nil, err
	}

	config, err := parseConfig(text)

	return config, named(ctx, "--base", err)
}

func (s *configSource) writeBack(ctx context.Context, text []byte) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}

	return s.edit.Replace(text)
}

func (s *configSource) close() {
	if s.edit != nil {
		_ = s.edit.Close() // nothing was written through it
	}
}

// loadBridge reads a bridge file, or standard input for "-". What is wrong with it is wrong usage.
func (p *program) loadBridge(ctx context.Context, path string) (*fleet.File, error) {
	if strings.Contains(path, "://") {
		return nil, usagef("-f takes a file and no URL: fetch it first, for example with curl URL, and read it with -f -")
	}

	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, usagef("-f takes a file, and %s is a folder: name the file in it", quote.Value(path))
	}

	text, err := p.readInput(ctx, "bridge file", path)
	if err != nil {
		if context.Cause(ctx) == nil {
			err = usageError{err}
		}

		return nil, err
	}

	file, err := fleet.Parse(path, text)
	if err != nil {
		return nil, usageError{err}
	}

	return file, nil
}
