package containerboot

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

// Argument is an argument that sets a flag.
type Argument struct {
	Name, Value string
	// Tokens is how it was written: one text, or two where the value stands apart.
	Tokens []string
}

// String returns the argument in the form that every flag takes.
func (a Argument) String() string { return "--" + a.Name + "=" + a.Value }

// Text returns the argument as it was written, or as [Argument.String] writes it.
func (a Argument) Text() string {
	if a.Tokens == nil {
		return a.String()
	}

	return strings.Join(a.Tokens, " ")
}

// NewArgument returns an argument that sets a flag.
func NewArgument(name, value string) Argument { return Argument{Name: name, Value: value} }

// Find returns the value of the last argument that sets a flag.
func Find(arguments []Argument, name string) (value string, ok bool) {
	for _, argument := range slices.Backward(arguments) {
		if argument.Name == name {
			return argument.Value, true
		}
	}

	return "", false
}

// Join writes arguments as the programs read them: with blanks between them.
func Join(arguments []Argument) string {
	var b strings.Builder

	for i, argument := range arguments {
		if i > 0 {
			b.WriteByte(' ')
		}

		b.WriteString(argument.Text())
	}

	return b.String()
}

// Flags lists the flags of a Go program. Its arguments arrive split at white space; quotes are not understood.
type Flags struct {
	program string
	kinds   map[string]flagKind
	// aliases are other names of flags.
	aliases map[string]string
}

// flagKind is what a flag of a Go program takes as its value.
type flagKind int

const (
	stringFlag flagKind = iota
	boolFlag
	durationFlag
	intFlag
	portFlag
)

// Has reports whether there is a flag of this name. An alias is one.
func (f Flags) Has(name string) bool {
	_, ok := f.kinds[f.Canonical(name)]

	return ok
}

// Canonical returns the name of a flag for an alias of it.
func (f Flags) Canonical(name string) string {
	if of, ok := f.aliases[name]; ok {
		return of
	}

	return name
}

// Parse reads arguments as the flag package of Go does: -name or --name, the value after "=" or, except for boolean
// flags, as the next argument. Its error joins all faults, each of which begins with field. No value is repeated in one: it may
// be a secret.
func (f Flags) Parse(field string, args []string) ([]Argument, error) {
	var (
		parsed []Argument
		faults []error
	)

	for i := 0; i < len(args); i++ {
		argument, hasValue, err := f.parseName(args[i])
		if err != nil {
			faults = append(faults, fmt.Errorf("%s %w", field, err))

			continue
		}

		argument.Tokens = args[i : i+1 : i+1]
		kind := f.kinds[argument.Name]

		switch {
		case hasValue:
		case kind == boolFlag:
			argument.Value = "true"
		case i+1 < len(args) && !isBlank(args[i+1]):
			argument.Value = args[i+1]
			argument.Tokens = args[i : i+2 : i+2]
			i++
		default:
			faults = append(faults, fmt.Errorf("%s --%s needs a value: write --%s=VALUE", field, argument.Name, argument.Name))

			continue
		}

		if err := checkValue(argument, kind); err != nil {
			faults = append(faults, fmt.Errorf("%s --%s %w", field, argument.Name, err))

			continue
		}

		parsed = append(parsed, argument)
	}

	return parsed, errors.Join(faults...)
}

func (f Flags) parseName(text string) (argument Argument, hasValue bool, err error) {
	switch {
	case text == "":
		return argument, false, errors.New("is empty: leave it out")
	case isBlank(text):
		return argument, false, errors.New("contains a blank or line break, at which it would be split: give each argument on its own, " +
			"and no value with a blank")
	case strings.ContainsAny(text, `"'`):
		return argument, false, errors.New("contains a quotation mark, which would become a part of the value: leave it out")
	}

	name, value, hasValue := strings.Cut(text, "=")

	dashed := name
	if name = strings.TrimPrefix(strings.TrimPrefix(name, "-"), "-"); name == dashed {
		return argument, false, fmt.Errorf("%s belongs to no flag: write the value of a flag as --NAME=VALUE", quote.Value(text))
	}

	name = f.Canonical(name)

	if _, ok := f.kinds[name]; !ok {
		return argument, false, fmt.Errorf("%s is not a flag of %s", quote.Value(dashed), f.program)
	}

	return Argument{Name: name, Value: value}, hasValue, nil
}

func checkValue(argument Argument, kind flagKind) error {
	switch kind {
	case boolFlag:
		if _, err := strconv.ParseBool(argument.Value); err != nil {
			return fmt.Errorf("takes a boolean: write --%s=true or --%s=false", argument.Name, argument.Name)
		}
	case durationFlag:
		if _, err := time.ParseDuration(argument.Value); err != nil {
			return fmt.Errorf("takes a duration: write one such as --%s=30s", argument.Name)
		}
	case intFlag:
		if _, err := strconv.ParseInt(argument.Value, 0, strconv.IntSize); err != nil {
			return fmt.Errorf("takes a number: write one such as --%s=1", argument.Name)
		}
	case portFlag:
		if _, err := strconv.ParseUint(argument.Value, 10, 16); err != nil {
			return fmt.Errorf("takes a port, from 0 to 65535: write one such as --%s=41641", argument.Name)
		}
	case stringFlag:
		if strings.ContainsAny(argument.Value, `"'`) {
			return errors.New("has a value with a quotation mark, which would become a part of it: leave it out")
		}
	}

	return nil
}

func isBlank(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}

// Without returns arguments without those that set a flag, also of one that the program does not know.
func Without(flags Flags, args []string, flag string) []string {
	flag = flags.Canonical(flag)

	var kept []string

	for i := 0; i < len(args); i++ {
		name, _, hasValue := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(args[i], "-"), "-"), "=")
		if !strings.HasPrefix(args[i], "-") || flags.Canonical(name) != flag {
			kept = append(kept, args[i])

			continue
		}

		// the value of a flag that takes one may stand apart
		if kind, known := flags.kinds[flag]; known && kind != boolFlag && !hasValue {
			i++
		}
	}

	return kept
}
