package fleet

import (
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// accepted returns the settings without what package patch refuses, so that a file made of them can be used as it is, and the
// names of what that is: fields, and variables and arguments of the service. Of those that exclude each other the first stays.
func accepted(found patch.Settings) (fitting patch.Settings, refused []string) {
	try := func(name string, more patch.Settings) {
		if merged := fitting.Merge(more); isAccepted(merged) {
			fitting = merged
		} else {
			refused = append(refused, name)
		}
	}

	variables, arguments := found.Env, found.ExtraArgs
	found.Env, found.ExtraArgs = nil, nil

	for field := range structFields(reflect.TypeFor[patch.Settings]()) {
		var one patch.Settings

		if value := reflect.ValueOf(found).FieldByIndex(field.Index); !value.IsZero() {
			reflect.ValueOf(&one).Elem().FieldByIndex(field.Index).Set(value)
			try(field.name, one)
		}
	}

	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if hasPassword(variables[name]) {
			refused = append(refused, name)
		} else {
			try(name, patch.Settings{Env: map[string]string{name: variables[name]}})
		}
	}

	for _, argument := range arguments {
		name, _, _ := strings.Cut(argument, "=") // the value may be anything
		try(name, patch.Settings{ExtraArgs: append(slices.Clone(fitting.ExtraArgs), argument)})
	}

	return fitting, refused
}

// hasPassword reports whether a text is a URL with a password in it, as that of a proxy may be: no secret belongs into a file.
func hasPassword(text string) bool {
	parsed, err := url.Parse(text)
	if err != nil {
		return strings.Contains(text, "@")
	}

	_, has := parsed.User.Password()

	return has
}

// isAccepted reports whether settings are right by themselves, with any key.
func isAccepted(settings patch.Settings) bool {
	key, err := authkey.Placeholder(planKey)
	if err != nil {
		return false
	}

	settings.AuthKey = key
	_, err = patch.New(patch.WithSettings(settings))

	return err == nil
}
