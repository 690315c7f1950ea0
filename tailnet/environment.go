package tailnet

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// The environment variables that [CredentialFromEnv] and [FromEnv] read. The first family is that
// of Tailscale's Terraform and Pulumi providers, the second that of Tailscale's get-authkey.
const (
	EnvAPIKey        = "TAILSCALE_API_KEY"
	EnvClientID      = "TAILSCALE_OAUTH_CLIENT_ID"
	EnvClientSecret  = "TAILSCALE_OAUTH_CLIENT_SECRET"
	EnvIdentityToken = "TAILSCALE_IDENTITY_TOKEN"
	EnvAudience      = "TAILSCALE_AUDIENCE"
	EnvTailnet       = "TAILSCALE_TAILNET"
	EnvBaseURL       = "TAILSCALE_BASE_URL"

	EnvClientIDShort     = "TS_API_CLIENT_ID"
	EnvClientSecretShort = "TS_API_CLIENT_SECRET"
	EnvBaseURLShort      = "TS_BASE_URL"
)

// The variables with which a job of GitHub Actions asks for its identity token. Jobs with the permission id-token: write have
// them.
const (
	envGitHubURL   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	envGitHubToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
)

// EnvUsage lists the variables that make a [Credential]. It is for the help texts of programs and changes with them: it is no
// part of what is stable.
const EnvUsage = EnvAPIKey + ", " + EnvClientID + " with " + EnvClientSecret + " or " + EnvIdentityToken + ", " +
	EnvClientIDShort + " with " + EnvClientSecretShort

// CredentialFromEnv makes a [Credential] of environment variables: see [EnvUsage]. lookup is as [os.LookupEnv], which
// is also the default when it is nil; a variable that is empty or blank counts as not set.
//
// A secret may be given as "file:PATH" or "exec:COMMAND ARG...", as in [APIToken]. A client ID alone is a workload identity
// in a job of GitHub Actions, which is asked for its identity token, for the audience in TAILSCALE_AUDIENCE, by default
// "api.tailscale.com/" and the client ID.
//
// It returns [ErrNoCredentials] when none is set. Two kinds of credentials at once are an error that names both, and so
// is one variable of each family for the same thing with different values: the wrong one would mint keys in the wrong
// tailnet.
func CredentialFromEnv(lookup func(string) (string, bool)) (Credential, error) {
	env := environment{lookup: lookup}

	token, tokenName := env.get(EnvAPIKey)
	id, idName := env.get(EnvClientID, EnvClientIDShort)
	secret, secretName := env.get(EnvClientSecret, EnvClientSecretShort)
	identity, identityName := env.get(EnvIdentityToken)

	for _, pair := range [][2]string{{tokenName, secretName}, {tokenName, identityName}, {secretName, identityName}} {
		if pair[0] != "" && pair[1] != "" {
			env.fault("%s and %s are both set: they are credentials of two kinds, unset one", pair[0], pair[1])
		}
	}

	if tokenName != "" && idName != "" && secretName == "" && identityName == "" {
		env.fault("%s and %s are both set: they are credentials of two kinds, unset one", tokenName, idName)
	}

	if err := errors.Join(env.faults...); err != nil {
		return Credential{}, err
	}

	switch {
	case tokenName != "":
		return fromVariables(tokenName)(APIToken(token))
	case secretName != "" && idName == "":
		return Credential{}, fmt.Errorf("%s is set and %s is not: an OAuth client has an ID and a secret, set both", secretName, EnvClientID)
	case identityName != "" && idName == "":
		return Credential{}, fmt.Errorf("%s is set and %s is not: set it to the client ID of the federated identity", identityName, EnvClientID)
	case secretName != "":
		return fromVariables(idName + ", " + secretName)(OAuthClient(id, secret))
	case identityName != "":
		return fromVariables(idName + ", " + identityName)(WorkloadIdentity(id, identity))
	case idName != "" && env.isGitHub():
		return fromVariables(idName)(WorkloadIdentityFunc(id, env.githubToken(id)))
	case idName != "":
		return Credential{}, fmt.Errorf("%s is set and neither %s nor %s is: set the one that goes with the client "+
			"(in GitHub Actions, the permission id-token: write does)",
			idName, EnvClientSecret, EnvIdentityToken)
	}

	return Credential{}, ErrNoCredentials
}

// FromEnv returns a [Client] with the [Credential], the Tailnet and the BaseURL of environment variables. The
// other fields have their zero values, and all can be changed before the first call. lookup and errors are as those of
// [CredentialFromEnv].
func FromEnv(lookup func(string) (string, bool)) (*Client, error) {
	env := environment{lookup: lookup}

	tailnet, _ := env.get(EnvTailnet)
	baseURL, _ := env.get(EnvBaseURL, EnvBaseURLShort)

	credential, err := CredentialFromEnv(lookup)
	if errors.Is(err, ErrNoCredentials) {
		return nil, err
	}

	if err := errors.Join(append(env.faults, err)...); err != nil {
		return nil, err
	}

	return &Client{Credential: credential, Tailnet: tailnet, BaseURL: baseURL}, nil
}

// environment reads variables that may be set under several names and gathers what is wrong with them.
type environment struct {
	lookup func(string) (string, bool)
	faults []error
}

func (e *environment) fault(format string, args ...any) {
	e.faults = append(e.faults, fmt.Errorf(format, args...))
}

// get returns the value and the name of the first variable of names that is set, or two empty texts.
func (e *environment) get(names ...string) (value, name string) {
	lookup := e.lookup
	if lookup == nil {
		lookup = os.LookupEnv
	}

	for _, candidate := range names {
		text, _ := lookup(candidate)

		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}

		if name == "" {
			value, name = text, candidate
		} else if text != value {
			e.fault("%s and %s are both set, to different values: unset one", name, candidate)
		}
	}

	return value, name
}

// fromVariables puts the names of the variables before an error.
func fromVariables(names string) func(Credential, error) (Credential, error) {
	return func(credential Credential, err error) (Credential, error) {
		if err != nil {
			return Credential{}, fmt.Errorf("%s: %w", names, err)
		}

		return credential, nil
	}
}
