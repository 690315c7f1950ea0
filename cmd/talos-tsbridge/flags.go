package main

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// patchFlags are the flags of the commands that make a patch.
type patchFlags struct {
	// settings are what the flags of patch.Choices say.
	settings patch.Settings
	// faults are those that the flags found in their values.
	faults []error

	unset []string

	base    string
	replace bool

	authKey           string
	allowClientSecret bool
	key               keyFlags

	staticHostsFrom []string

	redact bool
	dryRun bool
	output string
	quiet  bool
}

func (f *patchFlags) bind(cmd *cobra.Command) {
	f.bindSettings(cmd)

	cmd.Flags().BoolVar(&f.redact, "redact", false, "print with the auth key redacted")
	bindDryRun(cmd, &f.dryRun)
	bindResult(cmd, &f.output)
	bindQuiet(cmd, &f.quiet)
}

// bindSettings binds the flags of what a patch says, and of its key.
func (f *patchFlags) bindSettings(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false

	flags.StringVar(&f.authKey, "auth-key", "",
		"`source` of the auth key:\n"+strings.ReplaceAll(authkey.SourceUsage, "), ", "),\n")+"\n(default: env if TS_AUTHKEY is set, mint if API credentials are)")
	flags.BoolVar(&f.allowClientSecret, "allow-client-secret", false,
		"accept an OAuth client secret as the key: long-lived, and on every node")
	f.key.bind(cmd)

	for _, choice := range patch.Choices() {
		f.bindChoice(cmd, choice)
	}

	flags.StringArrayVar(&f.staticHostsFrom, "static-hosts-from", nil,
		"make static hosts of the devices with a `tag`, as they are now; asks the Tailscale API, with its credentials in the environment; "+
			"can be repeated")

	completeValues(cmd, "auth-key", "env", "file:", "exec:", "-", "mint", "once", "none", "placeholder:")
}

// bindUnset binds what is taken out of a machine config.
func (f *patchFlags) bindUnset(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.unset, "unset", nil,
		"take a setting out, whoever set it: the `name` of a variable, or --FLAG of tailscale up or tailscaled; can be repeated")
}

func (f *patchFlags) bindChoice(cmd *cobra.Command, choice patch.Choice) {
	flag := cmd.Flags().VarPF(&choiceFlag{choice: choice, settings: &f.settings, faults: &f.faults}, choice.Name, "", choice.Help)

	if choice.Kind() == patch.KindBool {
		flag.NoOptDefVal = "true"
	}

	if choice.Values != nil {
		completeValues(cmd, choice.Name, choice.Values...)
	}
}

// bindBase binds the flags for where the machine config is not what is patched.
func (f *patchFlags) bindBase(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.base, "base", "", "take contract, role and address families from this machine config `file`")
	cmd.Flags().BoolVar(&f.replace, "replace", false, "replace an earlier patch in the config instead of adding to it, on contract v1.14 or newer")
}

// options turns the flags that were given into options, all but those that are for one role only. Its error joins all
// faults.
func (f *patchFlags) options(ctx context.Context, p *program) ([]patch.Option, error) {
	settings := f.settings
	settings.Role, settings.EtcdSubnets, settings.APIServerSANs = nil, nil, nil

	options := []patch.Option{patch.WithSettings(settings), patch.WithReadFile(p.readFile)}
	faults := f.faults

	if f.base != "" {
		config, err := p.readBase(ctx, f.base)
		if err != nil {
			faults = append(faults, err)
		} else {
			options = append(options, patch.WithBase(config))
		}
	}

	if f.replace {
		options = append(options, patch.WithReplace())
	}

	return options, errors.Join(faults...)
}

// roleOptions turns the flags that are for one role only into options.
func (f *patchFlags) roleOptions() []patch.Option {
	return []patch.Option{patch.WithSettings(patch.Settings{
		Role: f.settings.Role, EtcdSubnets: f.settings.EtcdSubnets, APIServerSANs: f.settings.APIServerSANs,
	})}
}

// choiceFlag is the flag of a choice: it sets its field in the settings.
type choiceFlag struct {
	choice   patch.Choice
	settings *patch.Settings
	faults   *[]error
}

var _ pflag.Value = (*choiceFlag)(nil)

// Set implements [pflag.Value]. Of text whose form is wrong, pflag reports the first and stops; the faults of what has
// several parts are kept, to be reported with all others.
func (f *choiceFlag) Set(text string) error {
	err := f.choice.Set(f.settings, text)

	if err != nil && f.choice.Repeatable() {
		*f.faults = append(*f.faults, usageError{err})

		return nil
	}

	return err
}

// String implements [pflag.Value]. Help shows it as the default.
func (f *choiceFlag) String() string {
	if f.settings == nil { // pflag asks a zero value what its zero value is
		return ""
	}

	if text, given := f.choice.Text(f.settings); given {
		return text
	}

	return f.choice.Default
}

// Type implements [pflag.Value].
func (f *choiceFlag) Type() string {
	switch f.choice.Kind() {
	case patch.KindBool:
		return "bool"
	case patch.KindPort:
		return "uint16"
	case patch.KindList, patch.KindMap, patch.KindMapOfLists:
		return "stringArray"
	case patch.KindString:
	}

	return "string"
}

// optionNames finds the names of choices in the words of the library, where they stand in backquotes.
var optionNames = sync.OnceValue(func() *strings.Replacer {
	pairs := []string{"`auth-key`", "--auth-key", "`unset`", "--unset"}
	for _, choice := range patch.Choices() {
		pairs = append(pairs, "`"+choice.Name+"`", "--"+choice.Name)
	}

	return strings.NewReplacer(pairs...)
})

// inFlags writes words of the library as the users of the command line know its choices.
func inFlags(text string) string { return optionNames().Replace(text) }

// wording returns what a person reads of an error: for the faults of a patch and of a machine config, with the flags that they
// lie in.
func wording(err error) string {
	if fault, ok := errors.AsType[patch.Fault](err); ok {
		return strings.Replace(err.Error(), fault.Error(), inFlags(fault.Message), 1)
	}

	if failure, ok := errors.AsType[*patch.ConfigError](err); ok {
		named := *failure
		named.Reason = inFlags(failure.Reason)

		return strings.Replace(err.Error(), failure.Error(), named.Error(), 1)
	}

	return err.Error()
}

// parseConfig reads a machine config. One that is none is wrong usage.
func parseConfig(text []byte) (*patch.Config, error) {
	config, err := patch.ParseConfig(text)
	if err != nil {
		return nil, usageError{err}
	}

	return config, nil
}

// bindQuiet binds the flag that leaves out notes.
func bindQuiet(cmd *cobra.Command, quiet *bool) {
	cmd.Flags().BoolVar(quiet, "quiet", false, "no notes on standard error")
}

// bindSilent binds the flag of commands that show progress, too.
func bindSilent(cmd *cobra.Command, quiet *bool) {
	cmd.Flags().BoolVar(quiet, "quiet", false, "no notes and no progress on standard error")
}

// bindResult binds the flag for the file that a patch or a key goes to.
func bindResult(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "", "write to `file`, readable by its owner only, instead of standard output")
}

// bindDryRun binds the flag for a run that mints nothing and asks the tailnet nothing.
func bindDryRun(cmd *cobra.Command, dryRun *bool) {
	cmd.Flags().BoolVar(dryRun, "dry-run", false, "do everything but call the Tailscale API")
}
