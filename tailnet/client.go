package tailnet

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"

	"tailscale.com/client/tailscale/v2"

	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// DefaultTimeout bounds one call of a [Client] when its Timeout does not say.
const DefaultTimeout = 30 * time.Second

// DefaultBaseURL is where a [Client] calls when its BaseURL does not say.
const DefaultBaseURL = "https://api.tailscale.com"

// Client is a tailnet through the API of Tailscale, or of a Headscale server.
//
// Every field but Credential may be left zero. A Client is used through a pointer and may be used by several goroutines
// at a time; one access token serves all its calls. Its fields are read at the first call, and changing them after that
// has no effect.
//
// # Retries
//
// What cannot do harm is tried again, with growing waits, for as long as Timeout allows: an access token, a list, a
// revocation after any failure that may pass, and a creation as long as no key can have been made, which is after a
// rate limit (status 429) and when there was no connection at all. A Retry-After header is honoured; when it asks for
// more time than there is, the call fails at once and says so.
type Client struct {
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
	// Timeout bounds one call, with all its retries. Default: [DefaultTimeout].
	Timeout time.Duration
	// RetryDelay is the wait before the first retry; each further one is longer, up to five seconds, and all vary by
	// half to spread the load. Default: half a second.
	RetryDelay time.Duration
	// UserAgent is sent with each request. Default: "talos-tsbridge".
	UserAgent string
	// OnRetry, if set, is told the error and the wait before each retry, once at a time.
	OnRetry func(err error, wait time.Duration)

	start    sync.Once
	notify   sync.Mutex
	official *tailscale.Client
	clock    serverClock
	fault    error

	// made are the descriptions of the keys that were created, by their IDs.
	made sync.Map
}

// Check reports what is wrong with the fields, all of it in one joined error, without any call. Every call does so first.
func (c *Client) Check() error {
	c.start.Do(func() {
		base, fault := parseBaseURL(c.BaseURL)
		faults := []error{fault, checkTailnet(c.Tailnet)}

		if c.Credential.IsZero() {
			faults = append(faults, ErrNoCredentials)
		}

		if c.fault = errors.Join(faults...); c.fault != nil {
			return
		}

		agent := c.UserAgent
		if agent == "" {
			agent = "talos-tsbridge"
		}

		httpClient := c.HTTPClient
		if httpClient == nil {
			httpClient = &http.Client{Transport: defaultTransport()}
		}

		// A server that takes a request and says nothing must leave time for other attempts.
		const attempts = 6

		c.official = &tailscale.Client{
			BaseURL: base, UserAgent: agent, Tailnet: strings.TrimSpace(c.Tailnet), HTTP: httpClient,
			Auth: &authorizer{credential: c.Credential, userAgent: agent, share: c.timeout() / attempts, clock: &c.clock},
		}
		c.official.Keys() // fills in the client's own defaults
	})

	return c.fault
}

// Now is the time by the server's clock, as its last answer told it, and by this machine's before there was one.
func (c *Client) Now() time.Time { return c.clock.now() }

func (c *Client) timeout() time.Duration {
	if c.Timeout <= 0 {
		return DefaultTimeout
	}

	return c.Timeout
}

// call makes a request for a step, as often as it takes and is safe, within Timeout. The official client makes the request.
func (c *Client) call(ctx context.Context, at step, method string, request func(context.Context) error) error {
	if err := c.Check(); err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(withStep(ctx, at), c.timeout())
	defer cancel()

	return c.retrier().do(ctx, func() error { return c.understood(request(ctx), at, method) })
}

// understood passes errors of the transport on. All others come from the official client, which could not read an
// answer; what it says about that may quote the answer, and is left out.
func (c *Client) understood(err error, at step, method string) error {
	if _, ok := errors.AsType[*Error](err); err == nil || ok {
		return err
	}

	return c.invalid(at, method, notTheAnswer)
}

// invalid is the error of an answer that does not do.
func (c *Client) invalid(at step, method, message string) *Error {
	path := c.official.BaseURL.EscapedPath() + "/api/v2/tailnet/" + url.PathEscape(c.official.Tailnet)

	switch {
	case at == stepDevices:
		path += "/devices"
	case at == stepPolicy:
		path += "/acl"
	case at.ofDevices():
		path = c.official.BaseURL.EscapedPath() + "/api/v2/device"
	default:
		path += "/keys"
	}

	return &Error{
		Reason: ReasonAnswerInvalid, Method: method, Path: path, Host: c.official.BaseURL.Host, Status: http.StatusOK, Attempts: 1,
		Message: message, step: at, uncertain: at.changes(),
	}
}

func (c *Client) retrier() retrier {
	delay := c.RetryDelay
	if delay <= 0 {
		delay = DefaultRetryDelay
	}

	if c.OnRetry == nil {
		return retrier{delay: delay}
	}

	return retrier{delay: delay, notify: func(err error, wait time.Duration) {
		c.notify.Lock()
		defer c.notify.Unlock()

		c.OnRetry(err, wait)
	}}
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
	case secret.Looks(name):
		return errors.New("the tailnet's name looks like a key: give the name that the admin console shows, or -")
	case name == ".", name == "..", strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune("/\\?#%", r)
	}):
		return errors.New("the tailnet's name contains what no name does: give the name that the admin console shows, or -")
	}

	return nil
}
