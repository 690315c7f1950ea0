package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// variablePrefix is what the variables that stand for flags begin with.
const variablePrefix = "TSBRIDGE_"

// environment is the variables of the process.
type environment map[string]string

func newEnvironment(env []string) environment {
	e := environment{}

	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		e[name] = value
	}

	return e
}

func (e environment) lookup(name string) (string, bool) {
	value, ok := e[name]

	return value, ok
}

// hasFlags reports whether any variable is one that stands for a flag.
func (e environment) hasFlags() bool {
	for name := range e {
		if strings.HasPrefix(name, variablePrefix) {
			return true
		}
	}

	return false
}

// variableOf returns the name of the variable that stands for a flag.
func variableOf(flag *pflag.Flag) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
}

// flagOf returns the name of the flag that a variable would stand for.
func flagOf(variable string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(variable, variablePrefix), "_", "-"))
}

// applyTo sets the flags of the command that were not given from their variables. A variable that stands for a flag of
// another command is left alone; one that stands for none is refused, since it would be a setting without effect. The notes
// name those of flags that have no variable: they may have been set for an earlier version, and have no effect.
func (e environment) applyTo(cmd *cobra.Command) (notes []string, err error) {
	if !e.hasFlags() {
		return nil, nil
	}

	known := map[string]bool{}
	collectVariables(cmd.Root(), known)

	var faults []error

	for name, value := range e {
		flag := flagOf(name)

		switch {
		case !strings.HasPrefix(name, variablePrefix) || known[name] || value == "":
		case slices.Contains(flagsOnly, flag):
			notes = append(notes, "variable "+name+" has no effect: give --"+flag+" as a flag")
		default:
			faults = append(faults, usagef("variable %s stands for no flag: %s --help lists the flags", name, cmd.Root().Name()))
		}
	}

	slices.Sort(notes)

	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })

	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		value := e[variableOf(flag)]
		if flag.Changed || value == "" || !isVariable(flag) {
			return
		}

		values := []string{value}
		if isRepeatable(flag) {
			values = strings.Split(strings.TrimSuffix(value, "\n"), "\n")
		}

		for _, value := range values {
			if cmd.Flags().Set(flag.Name, value) != nil {
				faults = append(faults, usagef("variable %s is not a %s", variableOf(flag), kindOf(flag)))
			}
		}

		_ = cmd.Flags().SetAnnotation(flag.Name, byVariable, nil) // the flag exists
	})

	return notes, errors.Join(faults...)
}

// byVariable is the annotation of flags that variables have set.
const byVariable = "set by a variable"

// isGiven reports whether a flag itself is given, and not only its variable: that may be set for other commands, so that it is
// no fault where it has no effect.
func isGiven(flags *pflag.FlagSet, name string) bool {
	flag := flags.Lookup(name)
	_, isVariable := flag.Annotations[byVariable]

	return flag.Changed && !isVariable
}

// isRepeatable reports whether each further use of the flag adds to it.
func isRepeatable(flag *pflag.Flag) bool {
	if choice, ok := flag.Value.(*choiceFlag); ok {
		return choice.choice.Repeatable()
	}

	_, ok := flag.Value.(pflag.SliceValue)

	return ok
}

func collectVariables(cmd *cobra.Command, known map[string]bool) {
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		if isVariable(flag) {
			known[variableOf(flag)] = true
		}
	})

	for _, child := range cmd.Commands() {
		collectVariables(child, known)
	}
}

// flagsOnly have no variable: what two commands mean different things by, so that a variable set for one would act on the
// other, and what confirms or aims a single run.
var flagsOnly = []string{"output", "format", "image", "from", "yes", "force", "in-place", "unset", "diff"}

// isVariable reports whether a flag can be given as a variable: most of ours can, and none of cobra's.
func isVariable(flag *pflag.Flag) bool {
	_, isOther := flag.Annotations[withoutVariable]

	return flag.Name != "help" && flag.Name != "version" && flag.Name != "no-descriptions" && !isOther && !slices.Contains(flagsOnly, flag.Name)
}

// withoutVariable is the annotation of a flag by which other commands mean something else: the variable is theirs.
const withoutVariable = "its variable is for other commands"

func leaveVariable(cmd *cobra.Command, flag string) {
	if err := cmd.Flags().SetAnnotation(flag, withoutVariable, nil); err != nil {
		panic(err) // the flag does not exist: a mistake of the caller
	}
}

// childEnvironment is the environment without keys and credentials.
func (e environment) childEnvironment() []string {
	var variables []string

	for name, value := range e {
		if !strings.HasPrefix(name, variablePrefix) {
			variables = append(variables, name+"="+value)
		}
	}

	slices.Sort(variables)

	return secret.WithoutVariables(variables)
}
