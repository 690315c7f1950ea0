package authkey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/command"
	"github.com/talos-tsbridge/talos-tsbridge/internal/ctxio"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// EnvAuthKey is the environment variable that [FromEnv] reads. It is the one that Tailscale's own programs use.
const EnvAuthKey = "TS_AUTHKEY"

// SourceUsage lists the texts that [ParseSource] takes. It is for the help texts of programs and changes with them: it is
// no part of what is stable.
const SourceUsage = "env (the variable TS_AUTHKEY), file:PATH, exec:COMMAND ARG... (what a program prints), - (standard input), mint (a new key), once (a new key, where no device of the tailnet has the name of the node), none, placeholder:TEXT"

// maxSize bounds what is read from a file or standard input, in bytes. The longest keys, signed for tailnet lock, have
// a few hundred.
const maxSize = 4096

// Source says where an auth key comes from. The zero Source says nothing, and reading it fails: a program that means no key
// says [None].
type Source struct {
	scheme   string
	argument string
}

const (
	schemeNone        = "none"
	schemeEnv         = "env"
	schemeFile        = "file"
	schemeExec        = "exec"
	schemeStdin       = "-"
	schemeMint        = "mint"
	schemeOnce        = "once"
	schemePlaceholder = "placeholder"
)

// None is the source of no key: the patch leaves TS_AUTHKEY out, for nodes that are already registered.
func None() Source { return Source{scheme: schemeNone} }

// FromEnv is the environment variable [EnvAuthKey].
func FromEnv() Source { return Source{scheme: schemeEnv} }

// FromFile is the file at path; it holds the key on one line.
func FromFile(path string) Source { return Source{scheme: schemeFile, argument: path} }

// FromProgram is what a program prints on its standard output, such as "op read op://VAULT/ITEM/FIELD". The line is split
// into words as a shell splits it, nothing is expanded, and no shell runs it.
func FromProgram(line string) Source { return Source{scheme: schemeExec, argument: line} }

// FromStdin is standard input; it holds the key on one line.
func FromStdin() Source { return Source{scheme: schemeStdin} }

// Mint is the source of a new key for each node. It cannot be read, since a key that was made has to be delivered or taken
// back: a program asks [Source.IsMint], and leases keys with package mint.
func Mint() Source { return Source{scheme: schemeMint} }

// MintOnce is [Mint] for a node that the tailnet has no device of, and [None] for one that has joined.
func MintOnce() Source { return Source{scheme: schemeOnce} }

// PlaceholderSource is the source of what [Placeholder] makes of text.
func PlaceholderSource(text string) Source { return Source{scheme: schemePlaceholder, argument: text} }

// ParseSource reads the text of a source: see [SourceUsage]. It refuses a literal key, which would be visible to every
// user of the machine in the list of processes, and repeats nothing of a text that it refuses.
func ParseSource(text string) (Source, error) {
	scheme, argument, hasArgument := strings.Cut(text, ":")

	switch {
	case text == schemeNone, text == schemeEnv, text == schemeStdin, text == schemeMint, text == schemeOnce:
		return Source{scheme: text}, nil
	case hasArgument && scheme == schemeFile:
		switch {
		case argument == "":
			return Source{}, errors.New("file: needs the path of the file that holds the key, such as file:/run/secrets/ts_authkey")
		case secret.Is(argument):
			return Source{}, errors.New("file: takes the path of the file that holds the key, not the key")
		}

		return FromFile(argument), nil
	case hasArgument && scheme == schemeExec:
		if secret.Looks(argument) {
			return Source{}, errors.New("exec: takes the program that prints the key, not the key")
		}

		if _, err := command.Split(argument); err != nil {
			return Source{}, fmt.Errorf("exec: %w", err)
		}

		return FromProgram(argument), nil
	case hasArgument && scheme == schemePlaceholder:
		if _, err := Placeholder(argument); err != nil {
			return Source{}, err
		}

		return PlaceholderSource(argument), nil
	case secret.Looks(text):
		return Source{}, errors.New("a key on the command line is visible in the list of processes, so it is not taken from there: use " +
			SourceUsage)
	}

	return Source{}, errors.New("unknown source of the auth key: use " + SourceUsage)
}

// IsZero reports whether the source says nothing.
func (s Source) IsZero() bool { return s.scheme == "" }

// IsMint reports whether keys are made: the source is [Mint] or [MintOnce].
func (s Source) IsMint() bool { return s.scheme == schemeMint || s.scheme == schemeOnce }

// IsOnce reports whether the source is [MintOnce].
func (s Source) IsOnce() bool { return s.scheme == schemeOnce }

// IsNone reports whether the source is [None].
func (s Source) IsNone() bool { return s.scheme == schemeNone }

// IsPlaceholder reports whether the source is a text in place of a key.
func (s Source) IsPlaceholder() bool { return s.scheme == schemePlaceholder }

// String returns the text that [ParseSource] reads, and "" for the zero Source.
func (s Source) String() string {
	switch s.scheme {
	case schemeFile, schemeExec, schemePlaceholder:
		return s.scheme + ":" + s.argument
	}

	return s.scheme
}

// Input is what sources read from. The zero Input is the process's own environment and standard input.
type Input struct {
	// LookupEnv looks an environment variable up. Default: [os.LookupEnv].
	LookupEnv func(name string) (string, bool)
	// Stdin is standard input. Default: [os.Stdin].
	Stdin io.Reader
	// Environ is the environment of a program that prints the key; keys and API credentials are taken out of it. Default:
	// [os.Environ].
	Environ []string
	// Stderr is where the standard error of such a program goes. Default: [os.Stderr].
	Stderr io.Writer
}

// Read returns the key, parsed by [Parse] with opts; for [None] that is the zero Key. It fails for the zero Source and for
// [Mint] and [MintOnce].
//
// When ctx ends first, Read returns its cause at once. What it was waiting for, a terminal or a FIFO that nobody writes to,
// is then still being read by a goroutine: a program that goes on should read that no more.
//
// An error names the source, and for a file its path, but never what was read.
func (s Source) Read(ctx context.Context, in Input, opts ...ParseOption) (Key, error) {
	var (
		text string
		err  error
	)

	switch s.scheme {
	case schemeNone:
		return Key{}, nil
	case schemePlaceholder:
		return Placeholder(s.argument)
	case schemeEnv:
		text, err = readEnv(in)
	case schemeFile:
		text, err = readFile(ctx, s.argument)
	case schemeExec:
		text, err = command.Runner{Environ: in.Environ, Stderr: in.Stderr}.Output(ctx, s.argument, maxSize)
		if err != nil && context.Cause(ctx) == nil {
			err = fmt.Errorf("auth key: %w", err)
		}
	case schemeStdin:
		text, err = readStdin(ctx, in)
	case schemeMint, schemeOnce:
		return Key{}, errors.New("a minted key is leased, not read: choose another source")
	default:
		return Key{}, errors.New("the auth key has no source: use " + SourceUsage)
	}

	if err != nil {
		return Key{}, err
	}

	key, err := Parse(text, opts...)
	if err != nil {
		return Key{}, fmt.Errorf("auth key from %s: %w", s.describe(), err)
	}

	return key, nil
}

func (s Source) describe() string {
	switch s.scheme {
	case schemeEnv:
		return EnvAuthKey
	case schemeFile:
		return s.argument
	case schemeExec:
		return "the program"
	}

	return "standard input"
}

func readEnv(in Input) (string, error) {
	lookup := in.LookupEnv
	if lookup == nil {
		lookup = os.LookupEnv
	}

	text, ok := lookup(EnvAuthKey)
	if !ok || strings.TrimSpace(text) == "" {
		return "", errors.New("the environment variable " + EnvAuthKey + " is not set: export the auth key in it, or choose another source")
	}

	return text, nil
}

func readFile(ctx context.Context, path string) (string, error) {
	text, err := ctxio.ReadFile(ctx, path, maxSize)

	switch {
	case context.Cause(ctx) != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return "", fmt.Errorf("auth key: %w", err)
	}

	return string(text), nil
}

func readStdin(ctx context.Context, in Input) (string, error) {
	stdin := in.Stdin
	if stdin == nil {
		stdin = os.Stdin
	}

	text, err := ctxio.ReadAll(ctx, stdin, maxSize)

	switch {
	case context.Cause(ctx) != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return "", fmt.Errorf("auth key from standard input: %w", err)
	}

	return string(text), nil
}
