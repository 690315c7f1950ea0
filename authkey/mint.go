package authkey

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"tailscale.com/client/tailscale/v2"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

// DefaultTimeout bounds one call of a [Minter] when its Timeout does not say.
const DefaultTimeout = 30 * time.Second

// DefaultBaseURL is where a [Minter] calls when its BaseURL does not say.
const DefaultBaseURL = "https://api.tailscale.com"

// Minter makes auth keys through the API of Tailscale, or of a Headscale server, and takes them back.
//
// Every field but Credential may be left zero. A Minter is used through a pointer and may be used by several goroutines
// at a time; one access token serves all its calls. Its fields are read at the first call, and changing them after that
// has no effect.
//
// # Retries
//
// What cannot do harm is tried again, with growing waits, for as long as Timeout allows: an access token, a list, a
// revocation after any failure that may pass, and a creation as long as no key can have been made, which is after a
// rate limit (status 429) and when there was no connection at all. A Retry-After header is honoured; when it asks for
// more time than there is, the call fails at once and says so.
//
// A creation that got no clear answer is not repeated, since that would leave a second key behind. Instead Mint looks
// for the key by its unique description, revokes it, and says in its error what it found.
type Minter struct {
	// Credential is what the API is shown. Without one, every call returns [ErrNoCredentials].
	Credential Credential
	// Tailnet is the tailnet's name, as the admin console shows it under Settings > General. Default: "-", the
	// credential's own, which is the only one that Headscale has.
	Tailnet string
	// BaseURL is the URL of the API's server, without /api/v2. Default: [DefaultBaseURL].
	BaseURL string
	// HTTPClient is used for its Transport, Jar and Timeout (of one attempt). Default: Go's default transport, with
	// the proxy settings of the environment. Redirects are never followed.
	HTTPClient *http.Client
	// Timeout bounds one call, with all its retries. A third of it is kept for revoking a key whose creation got no
	// clear answer. Default: [DefaultTimeout].
	Timeout time.Duration
	// RetryDelay is the wait before the first retry; each further one is longer, up to five seconds, and all vary by
	// half to spread the load. Default: half a second.
	RetryDelay time.Duration
	// UserAgent is sent with each request. Default: "talos-tsbridge".
	UserAgent string
	// OnRetry, if set, is told the error and the wait before each retry, once at a time.
	OnRetry func(err error, wait time.Duration)

	start  sync.Once
	notify sync.Mutex
	client *tailscale.Client
	fault  error
}

// Minted is a key that a [Minter] made, with what the server says about it.
type Minted struct {
	// Key is the key itself. It prints as [Redacted], and so a Minted can be printed.
	Key Key
	// ID is what [Minter.Revoke] takes. It is no secret.
	ID string
	// Description is that of the [Options], with the eight characters that make it unique.
	Description string
	// Tags are the tags of the devices that the key registers.
	Tags []string
	// Reusable, Ephemeral and Preauthorized are as in [Options].
	Reusable, Ephemeral, Preauthorized bool
	// Expires is when the key stops to register nodes, by the server's clock.
	Expires time.Time
}

// Mint makes a key. Nothing is sent when the options or the Minter's fields have faults; the error names all of them.
//
// An error means that the caller has no key and, unless it says otherwise, that none was left behind. When ctx ends
// while the server may be making the key, Mint takes up to a third of Timeout longer, to find and revoke it.
func (m *Minter) Mint(ctx context.Context, options Options) (Minted, error) {
	options, err := m.prepare(options)
	if err != nil {
		return Minted{}, err
	}

	request := tailscale.CreateKeyRequest{
		ExpirySeconds: int64(options.Expiry / time.Second),
		Description:   mark(options.Description),
	}
	create := &request.Capabilities.Devices.Create
	create.Tags = options.Tags
	create.Reusable = options.Reusable
	create.Ephemeral = options.Ephemeral
	create.Preauthorized = !options.NotPreauthorized

	key, err := m.create(ctx, request)
	if err == nil {
		return m.deliver(ctx, request, key)
	}

	var failure *APIError
	if errors.As(err, &failure) && failure.step == stepCreate && failure.unknown {
		return Minted{}, m.takeBack(ctx, request.Description, options.Expiry, failure)
	}

	return Minted{}, fmt.Errorf("minting an auth key: %w", err)
}

// Check reports everything that [Minter.Mint] would refuse before it makes any call, in one joined error.
func (m *Minter) Check(options Options) error {
	_, err := m.prepare(options)

	return err
}

// prepare returns the options with their defaults, or all faults of the options and the Minter's fields.
func (m *Minter) prepare(options Options) (Options, error) {
	untagged := len(options.Tags) == 0
	options, fault := options.normalize()

	if m.Credential.kind.tailnetOwned() && untagged {
		fault = errors.Join(fault, fmt.Errorf("the key has no tags: made with a credential of the kind %q it belongs to no user, and must have "+
			"exactly the client's tags, or tags that those own in the policy file", m.Credential.kind))
	}

	return options, errors.Join(m.init(), fault)
}

// create makes the key, as often as it takes and is safe.
func (m *Minter) create(ctx context.Context, request tailscale.CreateKeyRequest) (*tailscale.Key, error) {
	ctx, cancel := context.WithTimeout(withStep(ctx, stepCreate), m.timeout()-m.cleanup())
	defer cancel()

	var key *tailscale.Key

	err := m.retrier().do(ctx, func() error {
		var err error

		key, err = m.client.Keys().CreateAuthKey(ctx, request)
		if err == nil && (key.ID == "" || key.Key == "") {
			err = errors.New("the answer holds no key")
		}

		return m.understood(err, stepCreate, http.MethodPost)
	})

	return key, err
}

// deliver turns the server's answer into a Minted, and takes back a key that no node could use.
func (m *Minter) deliver(ctx context.Context, request tailscale.CreateKeyRequest, key *tailscale.Key) (Minted, error) {
	parsed, err := Parse(key.Key)
	if err != nil {
		err = fmt.Errorf("minting an auth key: the server made key %s, but what it returned cannot be used: %w", key.ID, err)

		if failed := m.revokeAfter(ctx, key.ID); failed != nil {
			return Minted{}, fmt.Errorf("%w; the key could not be revoked (%w): revoke it", err, failed)
		}

		return Minted{}, fmt.Errorf("%w; the key was revoked", err)
	}

	create := key.Capabilities.Devices.Create
	minted := Minted{
		Key: parsed, ID: key.ID, Description: request.Description, Tags: create.Tags,
		Reusable: create.Reusable, Ephemeral: create.Ephemeral, Preauthorized: create.Preauthorized,
		Expires: key.Expires,
	}

	if len(minted.Tags) == 0 {
		minted.Tags = slices.Clone(key.Tags)
	}

	if minted.Expires.IsZero() {
		minted.Expires = time.Now().Add(time.Duration(request.ExpirySeconds) * time.Second)
	}

	return minted, nil
}

// Revoke takes back the key of this ID. Nodes that it registered stay registered.
//
// It returns [ErrKeyNotFound] when the tailnet has no such key. That may be what a caller wants, and it may be a typing
// error that leaves the right key alive; so it is an error here. It is none when Revoke itself deleted the key and only
// the answer got lost.
//
// A caller that revokes because its context ended must not pass that context: see [context.WithoutCancel].
func (m *Minter) Revoke(ctx context.Context, id string) error {
	if err := m.init(); err != nil {
		return err
	}

	id = strings.TrimSpace(id)

	switch {
	case id == "":
		return errors.New("revoking an auth key: the ID is empty")
	case quote.LooksSecret(id):
		return errors.New("revoking an auth key: this is a key and not its ID: the ID is what the admin console shows, such as k123456CNTRL")
	case strings.ContainsFunc(id, func(r rune) bool { return !isIDCharacter(r) }):
		return errors.New("revoking an auth key: the ID contains something else than letters, digits, hyphens and underscores")
	}

	ctx, cancel := context.WithTimeout(ctx, m.timeout())
	defer cancel()

	if err := m.revoke(ctx, id); err != nil {
		return fmt.Errorf("revoking auth key %s: %w", id, err)
	}

	return nil
}

func (m *Minter) revoke(ctx context.Context, id string) error {
	ctx = withStep(ctx, stepDelete)

	// Whether an earlier attempt may have deleted the key, so that the next one does not find it.
	tried := false

	err := m.retrier().do(ctx, func() error {
		err := m.understood(m.client.Keys().Delete(ctx, id), stepDelete, http.MethodDelete)

		var failure *APIError
		if errors.As(err, &failure) {
			if tried && failure.step == stepDelete && failure.Status == http.StatusNotFound {
				return nil
			}

			tried = tried || failure.step == stepDelete && failure.unknown
		}

		return err
	})

	var failure *APIError
	if errors.As(err, &failure) && failure.step == stepDelete && failure.Status == http.StatusNotFound && !failure.notAPI {
		return fmt.Errorf("%w: %w", ErrKeyNotFound, failure)
	}

	return err
}

func isIDCharacter(r rune) bool {
	return r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// understood passes errors of the transport on. All others come from the official client, which could not read an
// answer; what it says about that may quote the answer, and is left out.
func (m *Minter) understood(err error, at step, method string) error {
	var failure *APIError
	if err == nil || errors.As(err, &failure) {
		return err
	}

	resource := "keys"
	if at == stepDevices {
		resource = "devices"
	}

	return &APIError{
		Method: method, Path: m.client.BaseURL.EscapedPath() + "/api/v2/tailnet/" + url.PathEscape(m.client.Tailnet) + "/" + resource,
		Host: m.client.BaseURL.Host, Status: http.StatusOK, Attempts: 1,
		Message: "the answer is not what the API sends: check the base URL",
		step:    at,
		unknown: true,
	}
}

func (m *Minter) retrier() retrier {
	delay := m.RetryDelay
	if delay <= 0 {
		delay = defaultRetryDelay
	}

	if m.OnRetry == nil {
		return retrier{delay: delay}
	}

	return retrier{delay: delay, notify: func(err error, wait time.Duration) {
		m.notify.Lock()
		defer m.notify.Unlock()

		m.OnRetry(err, wait)
	}}
}

func (m *Minter) timeout() time.Duration {
	if m.Timeout <= 0 {
		return DefaultTimeout
	}

	return m.Timeout
}

// cleanup is the part of the time that is kept for a key whose creation got no clear answer.
func (m *Minter) cleanup() time.Duration { return m.timeout() / 3 }

// init makes the client, at the first call.
func (m *Minter) init() error {
	m.start.Do(func() {
		base, fault := parseBaseURL(m.BaseURL)
		faults := []error{fault, checkTailnet(m.Tailnet)}

		if m.Credential.IsZero() {
			faults = append(faults, ErrNoCredentials)
		}

		if m.fault = errors.Join(faults...); m.fault != nil {
			return
		}

		agent := m.UserAgent
		if agent == "" {
			agent = "talos-tsbridge"
		}

		httpClient := m.HTTPClient
		if httpClient == nil {
			httpClient = &http.Client{Transport: defaultTransport()}
		}

		m.client = &tailscale.Client{
			BaseURL: base, UserAgent: agent, Tailnet: strings.TrimSpace(m.Tailnet), HTTP: httpClient,
			Auth: &authorizer{credential: m.Credential, userAgent: agent, share: m.cleanup() / 2},
		}
		m.client.Keys() // fills in the client's own defaults
	})

	return m.fault
}

// defaultTransport is Go's, but keeps as many connections as an inventory makes keys at a time: with Go's own two, all
// others would shake hands anew for each key.
func defaultTransport() http.RoundTripper {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}

	const connections = 32

	transport = transport.Clone()
	transport.MaxIdleConnsPerHost = connections

	return transport
}

// parseBaseURL checks the base URL. No error repeats it: it may hold a password, or be a secret in the wrong place.
func parseBaseURL(text string) (*url.URL, error) {
	text = strings.TrimRight(strings.TrimSpace(text), "/")
	if text == "" {
		text = DefaultBaseURL
	}

	base, err := url.Parse(text)

	switch {
	case err != nil, base.Scheme != "https" && base.Scheme != "http", base.Host == "":
		return nil, errors.New("the base URL is not a URL of a server: give it as https://HOST or https://HOST:PORT")
	case base.User != nil, base.RawQuery != "", base.Fragment != "":
		return nil, errors.New("the base URL has a user, a query or a fragment: give it as https://HOST or https://HOST:PORT")
	case strings.HasSuffix(base.Path, "/api/v2"), strings.HasSuffix(base.Path, "/api"):
		return nil, errors.New("the base URL ends in the path of the API: leave /api/v2 out, it is appended")
	}

	return base, nil
}

func checkTailnet(name string) error {
	name = strings.TrimSpace(name)

	switch {
	case quote.LooksSecret(name):
		return errors.New("the tailnet's name looks like a key: give the name that the admin console shows, or -")
	case name == ".", name == "..", strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune("/\\?#%", r)
	}):
		return errors.New("the tailnet's name contains what no name does: give the name that the admin console shows, or -")
	}

	return nil
}
