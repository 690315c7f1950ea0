package tailnettest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answer is what the server says.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func success(body any) answer {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // types of this package can be encoded
	}

	return answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: text}
}

func failure(status int, message string) answer {
	a := success(map[string]string{"message": message})
	a.status = status

	return a
}

// longestRequest bounds what is read of a request, in bytes.
const longestRequest = 1 << 20

// serve answers a request, or lets it fail.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	endpoint, handle := s.route(r)
	fault := s.fault(endpoint)

	body, err := io.ReadAll(io.LimitReader(r.Body, longestRequest))
	if err != nil {
		return
	}

	r.Body = io.NopCloser(bytes.NewReader(body))

	s.mu.Lock()
	latency := s.latency
	s.mu.Unlock()

	carryOut := func() answer {
		s.mu.Lock()
		defer s.mu.Unlock()

		return handle(r)
	}

	var said answer

	own := fault.Handled || fault.Status == 0 && !fault.Reset
	if fault.Handled {
		said = carryOut()
	}

	s.wait(latency + fault.Delay)

	if own && !fault.Handled {
		said = carryOut()
	}

	if fault.Status != 0 {
		said = fault.answer(r, body)
	}

	if s.log(endpoint, r, at, said.status, fault.Reset); fault.Reset {
		reset(w)

		return
	}

	w.Header().Set("Date", s.time().Format(http.TimeFormat))
	said.send(w, fault)
}

// answer is what a fault says instead of the API.
func (f Fault) answer(r *http.Request, body []byte) answer {
	said := failure(f.Status, strings.ToLower(http.StatusText(f.Status)))

	switch {
	case f.Echo:
		said = failure(f.Status, "cannot handle "+r.Method+" "+r.URL.Path+" Authorization: "+r.Header.Get("Authorization")+" "+string(body))
	case f.Body != "":
		said.body = []byte(f.Body)
	}

	for name, values := range f.Header {
		said.header[name] = values
	}

	return said
}

func (a answer) send(w http.ResponseWriter, fault Fault) {
	for name, values := range a.header {
		w.Header()[name] = values
	}

	body := a.body
	if fault.CutJSON {
		body = body[:len(body)/2]
	}

	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)

	if fault.Truncate {
		_, _ = w.Write(body[:len(body)/2])        // it is to be broken
		_ = http.NewResponseController(w).Flush() // likewise
		panic(http.ErrAbortHandler)               // breaks the connection
	}

	_, _ = w.Write(body) // the client may have gone away
}

func (s *Server) log(endpoint Endpoint, r *http.Request, at time.Time, status int, broken bool) {
	if broken {
		status = 0
	}

	s.set(func() {
		s.requests = append(s.requests, Request{
			Endpoint: endpoint, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, UserAgent: r.UserAgent(), Status: status, At: at,
		})
	})
}

// route finds the endpoint of a request and what answers it, which runs with the server locked.
func (s *Server) route(r *http.Request) (Endpoint, func(*http.Request) answer) {
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/api/v2/"), "/")
	route := r.Method

	switch {
	case !strings.HasPrefix(r.URL.Path, "/api/v2/"):
	case len(path) == 2 && path[0] == "oauth":
		route += " oauth/" + path[1]
	case len(path) >= 3 && path[0] == "tailnet":
		route += " tailnet/" + path[2] + strings.Repeat("/id", len(path)-3)
		r.SetPathValue("tailnet", path[1])
		r.SetPathValue("id", path[len(path)-1])
	case len(path) >= 2 && path[0] == "device":
		route += strings.Join(append([]string{" device/id"}, path[2:]...), "/")
		r.SetPathValue("id", path[1])
	}

	switch route {
	case "POST oauth/token":
		return OAuthToken, s.issue
	case "POST oauth/token-exchange":
		return TokenExchange, s.exchange
	case "POST tailnet/keys":
		return CreateKey, s.authenticated(s.createKey)
	case "GET tailnet/keys":
		return ListKeys, s.authenticated(s.listKeys)
	case "GET tailnet/keys/id":
		return GetKey, s.authenticated(s.getKey)
	case "DELETE tailnet/keys/id":
		return DeleteKey, s.authenticated(s.deleteKey)
	case "GET tailnet/acl":
		return GetPolicy, s.authenticated(s.getPolicy)
	case "GET tailnet/devices":
		return ListDevices, s.authenticated(s.listDevices)
	case "GET device/id":
		return GetDevice, s.authenticated(s.getDevice)
	case "DELETE device/id":
		return DeleteDevice, s.authenticated(s.deleteDevice)
	case "POST device/id/name":
		return RenameDevice, s.authenticated(s.renameDevice)
	}

	return Unknown, func(*http.Request) answer { return failure(http.StatusNotFound, "not found") }
}

// authenticated checks the credential and the tailnet before handle answers.
func (s *Server) authenticated(handle func(*http.Request, actor) answer) func(*http.Request) answer {
	return func(r *http.Request) answer {
		who, ok := s.authenticate(r)
		if !ok {
			return failure(http.StatusUnauthorized, textUnauthorized)
		}

		if tailnet := r.PathValue("tailnet"); tailnet != "" && tailnet != "-" && tailnet != s.tailnet {
			return failure(http.StatusNotFound, "tailnet not found")
		}

		return handle(r, who)
	}
}
