package tailnettest

import (
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"time"
)

// Endpoint names a method and a path of the API.
type Endpoint string

// The endpoints that the server has. AnyEndpoint stands for all of them, and Unknown is that of a request to none.
const (
	AnyEndpoint   Endpoint = ""
	OAuthToken    Endpoint = "oauth token"
	TokenExchange Endpoint = "token exchange"
	CreateKey     Endpoint = "create key"
	ListKeys      Endpoint = "list keys"
	GetKey        Endpoint = "get key"
	DeleteKey     Endpoint = "delete key"
	ListDevices   Endpoint = "list devices"
	GetDevice     Endpoint = "get device"
	DeleteDevice  Endpoint = "delete device"
	RenameDevice  Endpoint = "rename device"
	GetPolicy     Endpoint = "get policy"
	Unknown       Endpoint = "unknown"
)

// Fault makes requests fail. Several things can go wrong at a time; a Fault without any lets requests through.
type Fault struct {
	// On is where it happens. Default: everywhere.
	On Endpoint
	// Skip is how many requests there are let through before it starts. Default: 0.
	Skip int
	// Times is how many requests it hits. Default: all from then on.
	Times int

	// Handled says that the request is carried out before things go wrong: a key exists of which the client hears
	// nothing. Default: it is not carried out.
	Handled bool
	// Delay is how long the answer takes; carrying it out comes after, or before when Handled is set. A client that
	// goes away meanwhile changes nothing.
	Delay time.Duration
	// Status, Header and Body are the answer, instead of the API's. With a Status and no Body, the body is a message in
	// the API's form.
	Status int
	Header http.Header
	Body   string
	// Echo makes the answer, which needs a Status, a message in the API's form that repeats the request with its
	// Authorization header: the worst that a server can do to a client that puts messages into logs.
	Echo bool
	// Reset breaks the connection instead of an answer.
	Reset bool
	// Truncate carries the request out and breaks the connection in the middle of the answer.
	Truncate bool
	// CutJSON carries the request out and leaves out the second half of the answer, which arrives as if it were whole.
	CutJSON bool
}

// HTML returns the fault of a proxy that answers for the API with a page for browsers.
func HTML(on Endpoint, status int) Fault {
	return Fault{
		On: on, Status: status, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
		Body: "<!DOCTYPE html><html><head><title>Gateway</title></head><body><h1>Something else</h1></body></html>",
	}
}

// RateLimit returns the fault of a client that asks too often: status 429, for this many requests, with a Retry-After
// header unless it is "".
func RateLimit(on Endpoint, times int, retryAfter string) Fault {
	fault := Fault{On: on, Times: times, Status: http.StatusTooManyRequests}
	if retryAfter != "" {
		fault.Header = http.Header{"Retry-After": {retryAfter}}
	}

	return fault
}

// Fail adds a fault. Of several for the same request, the first that was added and is not used up wins.
func (s *Server) Fail(fault Fault) { s.set(func() { s.faults = append(s.faults, &fault) }) }

// ClearFaults removes all faults.
func (s *Server) ClearFaults() { s.set(func() { s.faults = nil }) }

// fault returns what goes wrong with a request, and counts it.
func (s *Server) fault(at Endpoint) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()

	for i, fault := range s.faults {
		switch {
		case fault.On != AnyEndpoint && fault.On != at:
			continue
		case fault.Skip > 0:
			fault.Skip--

			continue
		}

		hit := *fault

		if fault.Times > 0 {
			if fault.Times--; fault.Times == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}

		return hit
	}

	return Fault{}
}

// wait waits, but not longer than the server lives.
func (s *Server) wait(duration time.Duration) {
	if duration <= 0 {
		return
	}

	timer := time.NewTimer(duration)
	defer timer.Stop()

	select {
	case <-timer.C:
	case <-s.done:
	}
}

// reset breaks the connection, so that the client sees a reset and not an orderly end.
func reset(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 has no connection of its own: this resets the stream
	}

	plain := connection
	if wrapped, ok := connection.(interface{ NetConn() net.Conn }); ok {
		plain = wrapped.NetConn()
	}

	if tcp, ok := plain.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // makes Close send a reset; if it fails, the client sees an orderly end
	}

	_ = plain.Close() // it is to be broken
}

// discard keeps what broken connections make the HTTP server say out of the test's output.
func discard() *log.Logger { return log.New(io.Discard, "", 0) }
