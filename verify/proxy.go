package verify

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

// DialFunc opens a connection, as [net.Dialer.DialContext] does. The host in the address may be a name, which the other
// end of the way resolves.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Proxy is a SOCKS5 or HTTP proxy, such as tailscaled in userspace mode serves: the way into a tailnet for a machine or
// container without a network device of it. The zero Proxy is none.
type Proxy struct {
	scheme  string
	address string
	user    *url.Userinfo
}

// ErrProxy is what the errors of [Proxy.Dial] are that are about the proxy itself, and not about what is behind it.
var ErrProxy = errors.New("the proxy")

// ParseProxy parses the URL of a proxy: socks5://HOST:PORT (also socks5h, socks) or http://HOST:PORT. Its error does not
// repeat a password.
func ParseProxy(text string) (Proxy, error) {
	const usage = "write such as socks5://127.0.0.1:1055 or http://127.0.0.1:1055"

	if !strings.Contains(text, "://") {
		text = "http://" + text // as curl reads it
	}

	parsed, err := url.Parse(text)
	if err != nil || parsed.Hostname() == "" {
		return Proxy{}, errors.New("the URL of the proxy cannot be read: " + usage)
	}

	proxy := Proxy{scheme: parsed.Scheme, user: parsed.User}
	port := parsed.Port()

	switch parsed.Scheme {
	case "socks5", "socks5h", "socks":
		proxy.scheme, port = "socks5", orDefault(port, "1080")
	case "http":
		port = orDefault(port, "80")
	default:
		return Proxy{}, fmt.Errorf("the proxy has the scheme %s: %s", quote.Value(parsed.Scheme), usage)
	}

	proxy.address = net.JoinHostPort(parsed.Hostname(), port)

	return proxy, nil
}

// String returns the URL of the proxy, without user and password.
func (p Proxy) String() string {
	if p.address == "" {
		return ""
	}

	return p.scheme + "://" + p.address
}

// IsLocal reports whether the proxy is on this machine.
func (p Proxy) IsLocal() bool {
	host, _, _ := net.SplitHostPort(p.address)
	address, err := netip.ParseAddr(host)

	return host == "localhost" || err == nil && address.IsLoopback()
}

// Dial is a [DialFunc] that goes through the proxy. Names are resolved by the proxy.
func (p Proxy) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.address)
	if err != nil {
		return nil, fmt.Errorf("%w at %s is not reached: %s", ErrProxy, p, oneLine(err))
	}

	if network != "tcp" && network != "tcp4" && network != "tcp6" {
		_ = conn.Close() // it is of no use

		return nil, fmt.Errorf("%w does not carry %s", ErrProxy, network)
	}

	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // the context ends it otherwise
	}

	through := conn

	if p.scheme == "socks5" {
		err = p.socks(conn, address)
	} else {
		through, err = p.connect(ctx, conn, address)
	}

	if err != nil {
		_ = conn.Close() // it is of no use any more

		return nil, err
	}

	return through, nil
}

// The replies of SOCKS5 (RFC 1928) that have an outcome of their own.
const (
	socksSucceeded          = 0
	socksNotAllowed         = 2
	socksNetworkUnreachable = 3
	socksHostUnreachable    = 4
	socksRefused            = 5
	socksExpired            = 6
)

// socks asks for a connection by RFC 1928, with user and password by RFC 1929. It is not done by golang.org/x/net/proxy because
// that has the replies as text alone, and each of them is another cause.
func (p Proxy) socks(conn net.Conn, address string) error {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}

	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return err
	}

	const version, none, password, connect = 5, 0, 2, 1

	methods := []byte{version, 1, none}
	if p.user != nil {
		methods = []byte{version, 2, none, password}
	}

	var chosen [2]byte
	if err := exchange(conn, methods, chosen[:]); err != nil {
		return fmt.Errorf("%w breaks off: %w", ErrProxy, err)
	}

	switch {
	case chosen[0] != version:
		return fmt.Errorf("%w at %s does not speak SOCKS5", ErrProxy, p)
	case chosen[1] == password && p.user != nil:
		if err := p.login(conn); err != nil {
			return err
		}
	case chosen[1] != none:
		return fmt.Errorf("%w at %s wants a user and a password", ErrProxy, p)
	}

	request := []byte{version, connect, 0}

	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		request = append(append(request, 1), ip.AsSlice()...)
	} else if err == nil {
		request = append(append(request, 4), ip.AsSlice()...)
	} else {
		request = append(append(request, 3, byte(len(host))), host...)
	}

	request = binary.BigEndian.AppendUint16(request, uint16(port))

	var reply [4]byte
	if err := exchange(conn, request, reply[:]); err != nil {
		return fmt.Errorf("%w breaks off: %w", ErrProxy, err)
	}

	if err := socksError(reply[1]); err != nil {
		return err
	}

	// the address that the proxy connects from is of no interest, and has to be read
	length := map[byte]int{1: net.IPv4len, 4: net.IPv6len}[reply[3]]

	if reply[3] == 3 {
		var size [1]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return fmt.Errorf("%w breaks off: %w", ErrProxy, err)
		}

		length = int(size[0])
	}

	if _, err := io.ReadFull(conn, make([]byte, length+2)); err != nil {
		return fmt.Errorf("%w breaks off: %w", ErrProxy, err)
	}

	return nil
}

func (p Proxy) login(conn net.Conn) error {
	password, _ := p.user.Password()
	name := p.user.Username()

	if len(name) > 255 || len(password) > 255 {
		return fmt.Errorf("%w takes no user or password of more than 255 bytes", ErrProxy)
	}

	request := append([]byte{1, byte(len(name))}, name...)
	request = append(append(request, byte(len(password))), password...)

	var answer [2]byte
	if err := exchange(conn, request, answer[:]); err != nil || answer[1] != 0 {
		return fmt.Errorf("%w at %s refuses the user and password", ErrProxy, p)
	}

	return nil
}

func exchange(conn net.Conn, request, answer []byte) error {
	if _, err := conn.Write(request); err != nil {
		return err
	}

	_, err := io.ReadFull(conn, answer)

	return err
}

func socksError(reply byte) error {
	switch reply {
	case socksSucceeded:
		return nil
	case socksRefused:
		return errRefused
	case socksNetworkUnreachable, socksHostUnreachable:
		return errUnreachable
	case socksExpired:
		return context.DeadlineExceeded
	case socksNotAllowed:
		return fmt.Errorf("%w does not allow the connection", ErrProxy)
	default:
		return errBehindProxy
	}
}

// connect asks for a connection by the method CONNECT of HTTP.
func (p Proxy) connect(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodConnect, "http://"+address, http.NoBody)
	if err != nil {
		return nil, err
	}

	request.URL.Opaque = address
	request.Host = address

	if p.user != nil {
		password, _ := p.user.Password()
		request.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(p.user.Username()+":"+password)))
	}

	if err := request.Write(conn); err != nil {
		return nil, fmt.Errorf("%w breaks off: %w", ErrProxy, err)
	}

	buffered := bufio.NewReader(io.LimitReader(conn, maxHeader))

	response, err := http.ReadResponse(buffered, request) //nolint:bodyclose // an answer to CONNECT has none
	if err != nil {
		return nil, fmt.Errorf("%w at %s does not speak HTTP", ErrProxy, p)
	}

	switch response.StatusCode {
	case http.StatusOK:
		// what the server said at once is in the buffer
		early, _ := buffered.Peek(buffered.Buffered())

		return &earlyConn{Conn: conn, early: early}, nil
	case http.StatusProxyAuthRequired:
		return nil, fmt.Errorf("%w at %s wants a user and a password", ErrProxy, p)
	case http.StatusForbidden, http.StatusMethodNotAllowed:
		return nil, fmt.Errorf("%w does not allow the connection", ErrProxy)
	case http.StatusGatewayTimeout:
		return nil, context.DeadlineExceeded
	default:
		return nil, errBehindProxy
	}
}

// earlyConn is a connection of which the first bytes were read already.
type earlyConn struct {
	net.Conn

	early []byte
}

func (c *earlyConn) Read(into []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(into, c.early)
		c.early = c.early[n:]

		return n, nil
	}

	return c.Conn.Read(into)
}

// What a proxy said about the connection behind it.
var (
	errRefused     = errors.New("connection refused")
	errUnreachable = errors.New("no route to the address")
	errBehindProxy = errors.New("the proxy does not get through")
)
