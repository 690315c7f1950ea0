package secret

import (
	"slices"
	"strings"
)

// The variables that hold a node's key, or what a node or a program logs in with. Those of API credentials include the
// client's ID, which is none: a child that needs one of them brings its own.
var (
	keyVariables        = []string{"TS_AUTHKEY", "TS_AUTH_KEY", "TS_CLIENT_SECRET", "TS_ID_TOKEN"}
	credentialVariables = []string{
		"TAILSCALE_API_KEY", "TAILSCALE_OAUTH_CLIENT_ID", "TAILSCALE_OAUTH_CLIENT_SECRET", "TAILSCALE_IDENTITY_TOKEN",
		"TS_API_CLIENT_ID", "TS_API_CLIENT_SECRET", "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
	}
)

// IsVariable reports whether a variable of a node's service holds a secret, by its name.
func IsVariable(name string) bool { return slices.Contains(keyVariables, name) }

// WithoutVariables returns an environment, in the form of [os.Environ], without the keys and API credentials in it: what a
// child gets that has no business with them.
func WithoutVariables(environment []string) []string {
	return slices.DeleteFunc(slices.Clone(environment), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")

		return slices.Contains(keyVariables, name) || slices.Contains(credentialVariables, name)
	})
}
