package main

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
)

// kindOf says what a flag takes, as errors name it: with what to write.
func kindOf(flag *pflag.Flag) string {
	switch kind := flag.Value.Type(); kind {
	case "bool":
		return "boolean: write true or false"
	case "uint16":
		return "port: write a number from 0 to 65535"
	default:
		return kind
	}
}

// ranged is a flag whose value may be out of range, which is told together with what else is wrong.
type ranged interface {
	// outOfRange says what is wrong with the value, and what to write, or "".
	outOfRange() string
}

// checkRanges reports every flag whose value is out of range.
func checkRanges(flags *pflag.FlagSet) error {
	var faults []error

	flags.VisitAll(func(flag *pflag.Flag) {
		if value, ok := flag.Value.(ranged); ok {
			if fault := value.outOfRange(); fault != "" {
				faults = append(faults, usagef("--%s is %s", flag.Name, fault))
			}
		}
	})

	return errors.Join(faults...)
}

// spanFlag is a span of time of at least some length.
type spanFlag struct {
	value *time.Duration
	least time.Duration
}

// bindSpan binds a flag for a span of time, which is not nothing.
func bindSpan(flags *pflag.FlagSet, value *time.Duration, name string, fallback time.Duration, usage string) {
	*value = fallback
	flags.Var(&spanFlag{value, 1}, name, usage)
}

// Set implements [pflag.Value].
func (f *spanFlag) Set(text string) error {
	span, err := time.ParseDuration(text)
	*f.value = span

	return err
}

func (f *spanFlag) outOfRange() string {
	if *f.value >= f.least {
		return ""
	}

	return f.value.String() + ": write a time such as 30s, 5m or 1h"
}

// String implements [pflag.Value]. Help shows it as the default.
func (f *spanFlag) String() string {
	if f.value == nil { // pflag asks a zero value what its zero value is
		return ""
	}

	return spanText(*f.value)
}

// Type is how errors name what the flag takes.
func (f *spanFlag) Type() string { return "duration: write one such as 30s, 5m or 1h" }

// spanText writes a span of time without the parts that are nothing, and none as "".
func spanText(span time.Duration) string {
	if span == 0 {
		return ""
	}

	text := span.String()
	for _, none := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, none) {
			text = text[:len(text)-len("0s")]
		}
	}

	return text
}

// countFlag is a number of things, at least one.
type countFlag int

// bindParallel binds the flag for how much is done at a time.
func bindParallel(flags *pflag.FlagSet, value *int, fallback int, usage string) {
	*value = fallback
	flags.Var((*countFlag)(value), "parallel", usage)
}

// Set implements [pflag.Value].
func (f *countFlag) Set(text string) error {
	count, err := strconv.Atoi(text)
	*f = countFlag(count)

	return err
}

func (f *countFlag) outOfRange() string {
	if *f >= 1 {
		return ""
	}

	return f.String() + ": write 1 or more"
}

func (f *countFlag) String() string { return strconv.Itoa(int(*f)) }

// Type is how errors name what the flag takes.
func (f *countFlag) Type() string { return "number: write 1 or more" }

// expiryFlag is a span of time that may be given in days.
type expiryFlag time.Duration

// Set implements [pflag.Value].
func (e *expiryFlag) Set(text string) error {
	expiry, err := mint.ParseExpiry(text)
	*e = expiryFlag(expiry)

	return err
}

func (e *expiryFlag) String() string { return spanText(time.Duration(*e)) }

// Type is how errors name what the flag takes.
func (e *expiryFlag) Type() string {
	return "duration: write minutes, hours or days, such as 15m, 24h or 90d"
}

// onceFlag is a text that may be given once: of two, the last would count alone, where other programs take both.
type onceFlag struct {
	value *string
	// instead says what to do in place of giving it again.
	instead string
	given   bool
}

// Set implements [pflag.Value].
func (f *onceFlag) Set(text string) error {
	if f.given {
		return usageError{errors.New(f.instead)}
	}

	*f.value, f.given = text, true

	return nil
}

// String implements [pflag.Value].
func (f *onceFlag) String() string {
	if f.value == nil { // pflag asks a zero value what its zero value is
		return ""
	}

	return *f.value
}

// Type implements [pflag.Value].
func (*onceFlag) Type() string { return "string" }
