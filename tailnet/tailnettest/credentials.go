package tailnettest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// OAuthClient says what an OAuth client, or the federated identity of a workload, may do.
type OAuthClient struct {
	// Tags are the client's tags.
	Tags []string
	// Scopes are what the client may do, such as "auth_keys", "devices:core:read" or "all". Default: "auth_keys".
	Scopes []string
}

// Credential is what a program shows to the server: an API access token, an OAuth client, or a workload identity.
type Credential struct {
	// ID is the client's ID, "" for an API access token.
	ID string
	// Secret is the token, the client's secret, or the workload's identity token.
	Secret string

	secretName string
}

// Environ returns the environment variables, as [os.Environ] does, that lead a program to the server with a credential.
func (s *Server) Environ(c Credential) []string {
	environ := []string{"TAILSCALE_BASE_URL=" + s.URL, c.secretName + "=" + c.Secret}
	if c.ID != "" {
		environ = append(environ, "TAILSCALE_OAUTH_CLIENT_ID="+c.ID)
	}

	return environ
}

// LookupEnv returns what looks the variables of [Server.Environ] up, as [os.LookupEnv] does.
func (s *Server) LookupEnv(c Credential) func(name string) (string, bool) {
	environ := s.Environ(c)

	return func(name string) (string, bool) {
		for _, variable := range environ {
			if value, ok := strings.CutPrefix(variable, name+"="); ok {
				return value, true
			}
		}

		return "", false
	}
}

type apiToken struct{ id, secret string }

type client struct {
	OAuthClient

	id, secret string
	removed    bool
}

// bearer is an access token.
type bearer struct {
	client  *client
	secret  string
	expires time.Time
}

// actor is who makes a request.
type actor struct {
	// client is nil for an API access token.
	client *client
	name   string
}

// may reports whether the actor has a scope.
func (a actor) may(scope string) bool {
	if a.client == nil {
		return true
	}

	read, reading := strings.CutSuffix(scope, ":read")

	return slices.ContainsFunc(a.client.Scopes, func(has string) bool {
		return has == "all" || has == scope || reading && (has == read || has == "all:read")
	})
}

// AddAPIToken makes an API access token: tskey-api-....
func (s *Server) AddAPIToken() Credential {
	token := apiToken{id: newID("k")}
	token.secret = "tskey-api-" + token.id + "-" + random(20)

	s.set(func() { s.apiTokens = append(s.apiTokens, token) })

	return Credential{Secret: token.secret, secretName: "TAILSCALE_API_KEY"}
}

// AddOAuthClient makes an OAuth client with an ID and a secret: tskey-client-....
func (s *Server) AddOAuthClient(c OAuthClient) Credential {
	added := newClient(c)
	added.secret = "tskey-client-" + added.id + "-" + random(20)

	s.set(func() { s.clients = append(s.clients, added) })

	return Credential{ID: added.id, Secret: added.secret, secretName: "TAILSCALE_OAUTH_CLIENT_SECRET"}
}

// AddWorkloadIdentity makes a federated identity with a client ID and an identity token of the workload, a JWT that expires
// after lifetime by this machine's clock. Nobody signed it; the server knows it.
func (s *Server) AddWorkloadIdentity(c OAuthClient, lifetime time.Duration) Credential {
	added := newClient(c)
	added.secret = newJWT(time.Now().Add(lifetime))

	s.set(func() { s.identities = append(s.identities, added) })

	return Credential{ID: added.id, Secret: added.secret, secretName: "TAILSCALE_IDENTITY_TOKEN"}
}

func newClient(c OAuthClient) *client {
	if c.Scopes == nil {
		c.Scopes = []string{"auth_keys"}
	}

	return &client{OAuthClient: c, id: newID("k")}
}

func newJWT(expires time.Time) string {
	encode := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err) // a map of texts and numbers can be encoded
		}

		return base64.RawURLEncoding.EncodeToString(text)
	}

	return encode(map[string]string{"alg": "none", "typ": "JWT"}) + "." +
		encode(map[string]any{"exp": expires.Unix(), "sub": "test", "jti": random(12)}) + "." + random(20)
}

// RemoveCredential revokes a credential: an API access token, an OAuth client by its secret or ID, a workload identity
// by its client ID. The access tokens of a client end with it.
func (s *Server) RemoveCredential(secretOrID string) {
	s.set(func() {
		s.apiTokens = slices.DeleteFunc(s.apiTokens, func(t apiToken) bool { return t.secret == secretOrID })

		for _, c := range append(slices.Clone(s.clients), s.identities...) {
			if c.id == secretOrID || c.secret == secretOrID {
				c.removed = true
			}
		}
	})
}

// DropAccessTokens makes all access tokens invalid that were issued so far.
func (s *Server) DropAccessTokens() {
	s.set(func() {
		for _, b := range s.bearers {
			b.expires = time.Time{}
		}
	})
}

// authenticate finds who makes a request, as the API does: an API access token is the user of basic authentication or a
// bearer token, an access token is a bearer token.
func (s *Server) authenticate(r *http.Request) (actor, bool) {
	secret, _, basic := r.BasicAuth()
	if !basic {
		secret, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	}

	for _, token := range s.apiTokens {
		if token.secret == secret {
			return actor{name: token.id}, true
		}
	}

	for _, b := range s.bearers {
		if b.secret == secret && !b.client.removed && s.now().Before(b.expires) {
			return actor{client: b.client, name: b.client.id}, true
		}
	}

	return actor{}, false
}

// issue answers a request for an access token.
func (s *Server) issue(r *http.Request) answer {
	if err := r.ParseForm(); err != nil {
		return failure(http.StatusBadRequest, "the form cannot be read")
	}

	if grant := r.PostForm.Get("grant_type"); grant != "" && grant != "client_credentials" {
		return failure(http.StatusBadRequest, "unsupported grant type")
	}

	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}

	return s.issueTo(s.clients, id, secret)
}

// exchange answers a request for an access token in exchange for an identity token.
func (s *Server) exchange(r *http.Request) answer {
	if err := r.ParseForm(); err != nil {
		return failure(http.StatusBadRequest, "the form cannot be read")
	}

	token := r.PostForm.Get("jwt")
	if expires, ok := expiry(token); !ok || s.now().After(expires) {
		return failure(http.StatusUnauthorized, "identity token is malformed or expired")
	}

	return s.issueTo(s.identities, r.PostForm.Get("client_id"), token)
}

func (s *Server) issueTo(clients []*client, id, secret string) answer {
	for _, c := range clients {
		if c.id != id || c.secret != secret || c.removed {
			continue
		}

		b := &bearer{client: c, secret: "tskey-api-" + newID("k") + "-" + random(20), expires: s.now().Add(s.tokenLifetime)}
		s.bearers = append(s.bearers, b)

		token := map[string]any{
			"access_token": b.secret,
			"token_type":   "Bearer",
			"expires_in":   int(s.tokenLifetime / time.Second),
			"scope":        strings.Join(c.Scopes, " "),
		}

		if !s.headscale { // which does not tell them
			token["tags"] = strings.Join(c.Tags, " ")
		}

		return success(token)
	}

	return failure(http.StatusUnauthorized, textUnauthorized)
}

func expiry(token string) (time.Time, bool) {
	var claims struct {
		Expires int64 `json:"exp"`
	}

	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}

	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return time.Time{}, false
	}

	return time.Unix(claims.Expires, 0), true
}
