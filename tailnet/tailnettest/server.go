package tailnettest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server is a running stand-in for the API. Its methods may be called at any time, by any goroutine.
type Server struct {
	// URL is the base URL, such as "http://127.0.0.1:40213".
	URL string

	http *httptest.Server
	// done is closed when the server closes, which ends all delays.
	done chan struct{}
	stop sync.Once

	mu            sync.Mutex
	tailnet       string
	owners        map[string][]string
	skew          time.Duration
	latency       time.Duration
	tokenLifetime time.Duration
	wholeKeys     bool
	headscale     bool
	faults        []*Fault
	requests      []Request

	apiTokens  []apiToken
	clients    []*client
	identities []*client
	bearers    []*bearer
	keys       []*Key
	devices    []*Device
}

// NewServer starts a server that belongs to the tailnet "example.com". It stops when the test ends. An Example, which has no
// t, passes nil and closes the server.
func NewServer(t testing.TB) *Server {
	s := newServer()
	s.http.Start()
	s.URL = s.http.URL

	if t != nil {
		t.Cleanup(s.Close)
	}

	return s
}

// NewTLSServer is [NewServer] with TLS. Its certificate is trusted by the client that [Server.Client] returns, and by
// no other.
func NewTLSServer(t testing.TB) *Server {
	s := newServer()
	s.http.StartTLS()
	s.URL = s.http.URL

	if t != nil {
		t.Cleanup(s.Close)
	}

	return s
}

func newServer() *Server {
	const lifetime = time.Hour

	s := &Server{done: make(chan struct{}), tailnet: "example.com", tokenLifetime: lifetime}
	s.http = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.http.Config.ErrorLog = discard()

	return s
}

// Close ends all delays and stops the server, before the test ends.
func (s *Server) Close() {
	s.stop.Do(func() {
		close(s.done)
		s.http.Close()
	})
}

// Client returns an HTTP client that trusts the server's certificate.
func (s *Server) Client() *http.Client { return s.http.Client() }

// SetTagOwners sets which tags own a tag: the key of the map is the tag that may be used, its values are the tags whose
// owner may use it, as in the policy file's tagOwners. Once set, an API access token may only use the tags that are keys
// of the map, and the policy file is shown. Default: OAuth clients may use their own tags only, API access tokens all.
func (s *Server) SetTagOwners(owners map[string][]string) { s.set(func() { s.owners = owners }) }

// SetClockSkew sets how far the server's clock is ahead of this machine's. Default: 0.
func (s *Server) SetClockSkew(skew time.Duration) { s.set(func() { s.skew = skew }) }

// SetLatency sets how long every answer takes. Default: 0.
func (s *Server) SetLatency(latency time.Duration) { s.set(func() { s.latency = latency }) }

// SetTokenLifetime sets how long access tokens last that are issued from now on. Default: an hour.
func (s *Server) SetTokenLifetime(lifetime time.Duration) {
	s.set(func() { s.tokenLifetime = lifetime })
}

// ListWholeKeys makes a list of keys hold all that is known of them, as Headscale's does. Default: only their IDs, as
// Tailscale's does.
func (s *Server) ListWholeKeys() { s.set(func() { s.wholeKeys = true }) }

func (s *Server) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()

	change()
}

// time is the time by the server's clock, for whoever has not locked the server.
func (s *Server) time() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.now()
}

// now is the time by the server's clock.
func (s *Server) now() time.Time { return time.Now().Add(s.skew).UTC() }

// random returns n characters that are unlike any others.
func random(n int) string { return strings.ToLower(rand.Text()[:n]) }

// newID returns an ID in Tailscale's form.
func newID(letter string) string { return fmt.Sprintf("%s%sCNTRL", letter, random(8)) }

// Request is a request that the server got.
type Request struct {
	Endpoint            Endpoint
	Method, Path, Query string
	UserAgent           string
	// Status is that of the answer, 0 when the connection was broken instead.
	Status int
	// At is when the request came, by this machine's clock.
	At time.Time
}

// Requests returns what the server got so far, in the order in which it answered; all of it, or only the requests of
// these endpoints.
func (s *Server) Requests(of ...Endpoint) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()

	var requests []Request

	for _, request := range s.requests {
		if len(of) == 0 || slices.Contains(of, request.Endpoint) {
			requests = append(requests, request)
		}
	}

	return requests
}

// Secrets returns every secret that the server issued so far: credentials, access tokens and keys. None of them should
// turn up in what a program logs.
func (s *Server) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()

	var secrets []string

	for _, token := range s.apiTokens {
		secrets = append(secrets, token.secret)
	}

	for _, client := range append(slices.Clone(s.clients), s.identities...) {
		secrets = append(secrets, client.secret)
	}

	for _, bearer := range s.bearers {
		secrets = append(secrets, bearer.secret)
	}

	for _, key := range s.keys {
		secrets = append(secrets, key.Secret)
	}

	return secrets
}

// RequireNoSecret fails the test if text holds a secret that the server issued, as it is or in an encoding in which secrets
// travel: a form, hexadecimal, base64, basic authentication.
func (s *Server) RequireNoSecret(t testing.TB, text string) {
	t.Helper()
	RequireNone(t, text, s.Secrets()...)
}

// RequireNone is [Server.RequireNoSecret] for other secrets.
func RequireNone(t testing.TB, text string, secrets ...string) {
	t.Helper()

	for _, secret := range secrets {
		for _, form := range []string{
			secret, url.QueryEscape(secret), hex.EncodeToString([]byte(secret)),
			base64.RawStdEncoding.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret + ":")),
		} {
			if strings.Contains(text, form) {
				t.Fatal("the text holds a secret")
			}
		}
	}
}
