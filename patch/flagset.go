package patch

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

// flagKind is what a flag of a Go program takes as its value.
type flagKind int

const (
	stringFlag flagKind = iota
	boolFlag
	durationFlag
	intFlag
)

// flagArgument is an argument that sets a flag.
type flagArgument struct{ name, value string }

func (a flagArgument) String() string { return "--" + a.name + "=" + a.value }

// flagSet is the flags that a Go program knows, by name. Its programs read what is split at white space, without any
// quoting.
type flagSet struct {
	// field is what errors call an argument.
	field string
	// program is what the flags belong to.
	program string
	kinds   map[string]flagKind
	// aliases are other names of flags.
	aliases map[string]string
}

// parse reads arguments as the flag package of Go does: -name or --name, the value after "=" or, except for boolean
// flags, as the next argument. Its error joins all faults. No value is repeated in one: it may be a secret.
func (f flagSet) parse(args []string) ([]flagArgument, error) {
	var (
		parsed []flagArgument
		faults []error
	)

	for i := 0; i < len(args); i++ {
		argument, hasValue, err := f.parseName(args[i])
		if err != nil {
			faults = append(faults, err)

			continue
		}

		kind := f.kinds[argument.name]

		switch {
		case hasValue:
		case kind == boolFlag:
			argument.value = "true"
		case i+1 < len(args) && !isBlank(args[i+1]):
			i++
			argument.value = args[i]
		default:
			faults = append(faults, fmt.Errorf("%s --%s needs a value: write --%s=VALUE", f.field, argument.name, argument.name))

			continue
		}

		if err := f.checkValue(argument, kind); err != nil {
			faults = append(faults, err)

			continue
		}

		parsed = append(parsed, argument)
	}

	return parsed, errors.Join(faults...)
}

func (f flagSet) parseName(text string) (argument flagArgument, hasValue bool, err error) {
	switch {
	case text == "":
		return argument, false, fmt.Errorf("%s is empty: leave it out", f.field)
	case isBlank(text):
		return argument, false, fmt.Errorf("%s contains a blank or line break, at which it would be split: give each argument on its own, "+
			"and no value with a blank", f.field)
	}

	name, value, hasValue := strings.Cut(text, "=")

	dashed := name
	if name = strings.TrimPrefix(strings.TrimPrefix(name, "-"), "-"); name == dashed {
		return argument, false, fmt.Errorf("%s %s belongs to no flag: write the value of a flag as --NAME=VALUE", f.field, quote.Value(text))
	}

	if alias, ok := f.aliases[name]; ok {
		name = alias
	}

	if _, ok := f.kinds[name]; !ok {
		return argument, false, fmt.Errorf("%s %s is not a flag of %s", f.field, quote.Value(dashed), f.program)
	}

	return flagArgument{name, value}, hasValue, nil
}

func (f flagSet) checkValue(argument flagArgument, kind flagKind) error {
	switch kind {
	case boolFlag:
		if _, err := strconv.ParseBool(argument.value); err != nil {
			return fmt.Errorf("%s --%s takes a boolean: write --%s=true or --%s=false", f.field, argument.name, argument.name, argument.name)
		}
	case durationFlag:
		if _, err := time.ParseDuration(argument.value); err != nil {
			return fmt.Errorf("%s --%s takes a duration: write one such as --%s=30s", f.field, argument.name, argument.name)
		}
	case intFlag:
		if _, err := strconv.ParseInt(argument.value, 0, strconv.IntSize); err != nil {
			return fmt.Errorf("%s --%s takes a number: write one such as --%s=1", f.field, argument.name, argument.name)
		}
	case stringFlag:
	}

	return nil
}

func isBlank(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}
