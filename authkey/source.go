package authkey

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

// EnvName is the environment variable that the source "env" reads. It is the one that Tailscale's own programs use.
const EnvName = "TS_AUTHKEY"

// SourceUsage lists the texts that [ParseSource] takes, for help texts and errors.
const SourceUsage = "env (the variable TS_AUTHKEY), file:PATH, - (standard input), mint (a new key), none, placeholder:TEXT"

// maxSize bounds what is read from a file or standard input, in bytes. The longest keys, signed for tailnet lock, have
// a few hundred.
const maxSize = 4096

// Source says where an auth key comes from. The zero Source is [None].
type Source struct {
	scheme   string
	argument string
}

const (
	schemeNone        = ""
	schemeEnv         = "env"
	schemeFile        = "file"
	schemeStdin       = "-"
	schemeMint        = "mint"
	schemePlaceholder = "placeholder"
)

// None is the source of no key: the patch leaves TS_AUTHKEY out, for nodes that are already registered.
func None() Source { return Source{} }

// Env is the environment variable [EnvName].
func Env() Source { return Source{scheme: schemeEnv} }

// File is the file at path; it holds the key on one line.
func File(path string) Source { return Source{scheme: schemeFile, argument: path} }

// Stdin is standard input; it holds the key on one line.
func Stdin() Source { return Source{scheme: schemeStdin} }

// Mint is a new key, which [Input.Mint] makes.
func Mint() Source { return Source{scheme: schemeMint} }

// ParseSource reads the text of a source: see [SourceUsage]. It refuses a literal key, which would be visible to every
// user of the machine in the list of processes, and repeats nothing of a text that it refuses.
func ParseSource(text string) (Source, error) {
	scheme, argument, hasArgument := strings.Cut(text, ":")

	switch {
	case text == "none":
		return None(), nil
	case text == schemeEnv:
		return Env(), nil
	case text == schemeStdin:
		return Stdin(), nil
	case text == schemeMint:
		return Mint(), nil
	case hasArgument && scheme == schemeFile:
		switch {
		case argument == "":
			return Source{}, errors.New("file: needs the path of the file that holds the key, such as file:/run/secrets/ts_authkey")
		case isSecret(argument):
			return Source{}, errors.New("file: takes the path of the file that holds the key, not the key")
		}

		return File(argument), nil
	case hasArgument && scheme == schemePlaceholder:
		if _, err := Placeholder(argument); err != nil {
			return Source{}, err
		}

		return Source{scheme: schemePlaceholder, argument: argument}, nil
	case quote.LooksSecret(text):
		return Source{}, errors.New("a key on the command line is visible in the list of processes, so it is not taken from there: use " +
			SourceUsage)
	}

	return Source{}, errors.New("unknown source of the auth key: use " + SourceUsage)
}

// String returns the text that [ParseSource] reads.
func (s Source) String() string {
	switch s.scheme {
	case schemeNone:
		return "none"
	case schemeFile, schemePlaceholder:
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
	// Mint makes a new key, with a [Minter]. Default: none can be made.
	Mint func() (Key, error)
}

// Read returns the key, parsed by [Parse] with opts; for [None] that is the zero Key.
//
// An error names the source, and for a file its path, but never what was read.
func (s Source) Read(in Input, opts ...ParseOption) (Key, error) {
	var (
		text string
		err  error
	)

	switch s.scheme {
	case schemeNone:
		return Key{}, nil
	case schemePlaceholder:
		return Placeholder(s.argument)
	case schemeMint:
		if in.Mint == nil {
			return Key{}, errors.New("no auth key can be minted here: choose another source")
		}

		return in.Mint()
	case schemeEnv:
		text, err = readEnv(in)
	case schemeFile:
		text, err = readFile(s.argument)
	case schemeStdin:
		text, err = readStdin(in)
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
		return EnvName
	case schemeFile:
		return s.argument
	}

	return "standard input"
}

func readEnv(in Input) (string, error) {
	lookup := in.LookupEnv
	if lookup == nil {
		lookup = os.LookupEnv
	}

	text, ok := lookup(EnvName)
	if !ok || strings.TrimSpace(text) == "" {
		return "", errors.New("the environment variable " + EnvName + " is not set: export the auth key in it, or choose another source")
	}

	return text, nil
}

func readFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("auth key: %w", err)
	}

	defer file.Close() //nolint:errcheck // nothing was written

	return readAll(file, path)
}

func readStdin(in Input) (string, error) {
	if in.Stdin == nil {
		return readAll(os.Stdin, "standard input")
	}

	return readAll(in.Stdin, "standard input")
}

func readAll(r io.Reader, name string) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return "", fmt.Errorf("auth key from %s: %w", name, err)
	}

	if len(text) > maxSize {
		return "", fmt.Errorf("auth key from %s: more than %d bytes, that is not an auth key", name, maxSize)
	}

	return string(text), nil
}
