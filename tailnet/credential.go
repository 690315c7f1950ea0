package tailnet

import (
	"context"
	"errors"
	"strings"
	"unicode"

	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// CredentialKind is the sort of a [Credential].
type CredentialKind int

const (
	// CredentialNone is the kind of the zero Credential.
	CredentialNone CredentialKind = iota
	// CredentialAPIToken is an API access token. It acts as the user who created it.
	CredentialAPIToken
	// CredentialOAuthClient is an OAuth client. It acts for the tailnet, within its scopes and tags.
	CredentialOAuthClient
	// CredentialWorkloadIdentity is a federated identity: a token of another identity provider, such as a CI system's
	// or a cluster's, stands in for the OAuth client's secret.
	CredentialWorkloadIdentity
)

// String returns the kind in words, such as "OAuth client".
func (k CredentialKind) String() string {
	switch k {
	case CredentialNone:
		return "no credential"
	case CredentialAPIToken:
		return "API access token"
	case CredentialOAuthClient:
		return "OAuth client"
	case CredentialWorkloadIdentity:
		return "workload identity"
	}

	return "unknown credential"
}

// NeedsTags reports whether keys made with this kind belong to the tailnet and not to a user. Such a key must carry tags,
// since nobody else would own the devices that it registers.
func (k CredentialKind) NeedsTags() bool {
	return k == CredentialOAuthClient || k == CredentialWorkloadIdentity
}

// Credential is what a [Client] shows to the API: an API access token, an OAuth client or a workload identity.
//
// Like an [authkey.Key], it prints as "[redacted]" everywhere. Unlike one, it cannot be revealed: only a Client can use it.
// The zero Credential is none; a Client with it makes no call.
type Credential struct {
	hidden

	kind CredentialKind
	// clientID is no secret. Tailscale shows it in the admin console and in logs.
	clientID string
	// secret returns the token, the client's secret or the workload's identity token. It is a function because a function
	// is the one thing that no printer can look into.
	secret reader
}

type hidden = secret.Hidden

func hide() hidden { return secret.Hide() }

// APIToken makes a [Credential] of an API access token: tskey-api-..., or what Headscale's "apikeys create" prints.
//
// "file:PATH" instead of the token reads it from a file, and "exec:COMMAND ARG..." takes what a program prints, once, when it
// is needed: see [Credential.Load].
//
// It refuses an empty text, blanks inside, and a secret of another kind; no error repeats any part of it.
func APIToken(token string) (Credential, error) {
	secret, err := readerOf("API access token", token, checkAPIToken)
	if err != nil {
		return Credential{}, err
	}

	return Credential{hidden: hide(), kind: CredentialAPIToken, secret: once(secret)}, nil
}

// OAuthClient makes a [Credential] of an OAuth client's ID and secret (tskey-client-...). The client needs the scope
// auth_keys, writable, and the tags of the keys that it is to make. "file:PATH" and "exec:COMMAND ARG..." are as in
// [APIToken].
//
// It refuses empty texts, blanks inside, and a secret of another kind; no error repeats any part of either.
func OAuthClient(id, text string) (Credential, error) {
	id, err := checkClientID(id)
	if err != nil {
		return Credential{}, err
	}

	secret, err := readerOf("OAuth client secret", text, checkClientSecret)
	if err != nil {
		return Credential{}, err
	}

	return Credential{hidden: hide(), kind: CredentialOAuthClient, clientID: id, secret: once(secret)}, nil
}

// WorkloadIdentity makes a [Credential] of a federated identity's client ID and an identity token: a JWT that the
// identity provider issued. "file:PATH" and "exec:COMMAND ARG..." are as in [APIToken], but again for each exchange, since
// what writes such files replaces the token before it expires.
//
// It refuses empty texts and a token that is no JWT; no error repeats any part of it.
func WorkloadIdentity(clientID, token string) (Credential, error) {
	secret, err := readerOf("identity token", token, checkIdentityToken)
	if err != nil {
		return Credential{}, err
	}

	return WorkloadIdentityFunc(clientID, secret)
}

// WorkloadIdentityFunc is [WorkloadIdentity] for a token that a function returns, such as one that asks the CI system
// for it. It is called for each exchange, which is once an hour or less, never by two goroutines at a time.
//
// The text of an error that it returns becomes part of a message: it should hold no secret.
func WorkloadIdentityFunc(clientID string, token func(context.Context) (string, error)) (Credential, error) {
	clientID, err := checkClientID(clientID)
	if err != nil {
		return Credential{}, err
	}

	if token == nil {
		return Credential{}, errors.New("the identity token is missing")
	}

	return Credential{hidden: hide(), kind: CredentialWorkloadIdentity, clientID: clientID, secret: token}, nil
}

// Load reads a token or client secret that is in a file or that a program knows, now rather than at the first call, where the
// time that it takes counts: a program may have to ask a person. An identity token is read for each exchange instead.
func (c Credential) Load(ctx context.Context) error {
	switch c.kind {
	case CredentialNone:
		return ErrNoCredentials
	case CredentialWorkloadIdentity:
		return nil
	case CredentialAPIToken, CredentialOAuthClient:
	}

	_, err := c.secret(ctx)

	return err
}

// Kind tells what sort of credential this is. It is [CredentialNone] for the zero Credential.
func (c Credential) Kind() CredentialKind { return c.kind }

// IsZero reports whether there is no credential.
func (c Credential) IsZero() bool { return c.kind == CredentialNone }

// checkSecret drops the blanks around a secret and refuses what copying, quoting and masking leave.
func checkSecret(what, text string) (string, error) {
	text = strings.TrimSpace(text)

	switch {
	case text == "":
		return "", errors.New("the " + what + " is empty")
	case secret.Unresolved(text) != "":
		return "", errors.New("the " + what + " is " + secret.Unresolved(text) + ": give the secret alone, file:PATH, or the program that knows it, such as " +
			"exec:op read op://VAULT/ITEM/FIELD")
	case text == secret.Redacted, strings.Contains(text, "*"):
		return "", errors.New("the " + what + " is redacted: only its creation shows it whole, create another one")
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == '"' || r == '\'' }):
		return "", errors.New("the " + what + " contains a blank, a line break or a quotation mark: copy it again")
	case strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) }):
		return "", errors.New("the " + what + " contains a character outside printable ASCII: copy it again")
	}

	return text, nil
}

func checkClientID(text string) (string, error) {
	const what = "OAuth client ID"

	text, err := checkSecret(what, text)
	if err != nil {
		return "", err
	}

	if secret.Looks(text) {
		return "", errors.New("the " + what + " is a secret: ID and secret look swapped")
	}

	return text, nil
}

func checkAPIToken(text string) (string, error) {
	const what = "API access token"

	text, err := checkSecret(what, text)
	if err != nil {
		return "", err
	}

	switch {
	case strings.HasPrefix(text, secret.ClientSecret):
		return "", errors.New("the " + what + " is an OAuth client's secret: give it as that, with the client's ID")
	case strings.HasPrefix(text, secret.AuthKey), strings.HasPrefix(text, secret.HeadscaleAuth):
		return "", errors.New("the " + what + " is an auth key: it registers nodes and cannot make keys")
	case text == secret.APIToken:
		return "", errors.New("the " + what + " is only a prefix: copy the whole token")
	}

	return text, nil
}

func checkClientSecret(text string) (string, error) {
	const what = "OAuth client secret"

	text, err := checkSecret(what, text)
	if err != nil {
		return "", err
	}

	switch {
	case strings.HasPrefix(text, secret.APIToken):
		return "", errors.New("the " + what + " is an API access token: give it as that, without a client ID")
	case strings.HasPrefix(text, secret.AuthKey), strings.HasPrefix(text, secret.HeadscaleAuth):
		return "", errors.New("the " + what + " is an auth key: it registers nodes and cannot make keys")
	case strings.Contains(text, "?"):
		return "", errors.New("the " + what + " has attributes behind a ?: they are for a node that joins with it, leave them out")
	case text == secret.ClientSecret:
		return "", errors.New("the " + what + " is only a prefix: copy the whole secret")
	}

	return text, nil
}

func checkIdentityToken(text string) (string, error) {
	const what = "identity token"

	text, err := checkSecret(what, text)
	if err != nil {
		return "", err
	}

	if !secret.IsJWT(text) {
		return "", errors.New("the " + what + " is not a JWT, which has three parts separated by dots: give the token that the identity " +
			"provider issued, or file:PATH")
	}

	return text, nil
}
