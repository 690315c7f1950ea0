package verify

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"sync/atomic"
	"time"
)

// countingConn knows whether anything was read from it.
type countingConn struct {
	net.Conn

	heard atomic.Bool
}

// Read implements [net.Conn].
func (c *countingConn) Read(into []byte) (int, error) {
	n, err := c.Conn.Read(into)
	if n > 0 {
		c.heard.Store(true)
	}

	return n, err
}

// heldConn is one that stays open until who made it closes what is below: what the other side said last can still be read
// when HTTP has given up. A deadline ends what waits for it.
type heldConn struct{ *countingConn }

// Close implements [net.Conn].
func (heldConn) Close() error { return nil }

// tryShortHello watches a handshake. Where the other side has not said a thing in half of the time, or closes the connection
// without a word, it is asked again, over a connection of its own, with a first message that fits into one short packet:
// today's clients send one of two packets, which routers with a smaller MTU lose, and some servers cannot take. The function
// that it returns takes how the handshake ended, and reports whether the short message was answered where the long one was not.
func (c *Checker) tryShortHello(ctx context.Context, conn *countingConn, target Target, result *Result) func(error) bool {
	address := result.Address
	answered := make(chan bool, 1)
	ask := func() {
		answered <- !conn.heard.Load() && c.answersShortHello(ctx, func() (net.Conn, error) { return c.dial(ctx, address, target) }, target)
	}

	wait := DefaultTimeout
	if deadline, ok := ctx.Deadline(); ok {
		wait = time.Until(deadline)
	}

	timer := time.AfterFunc(wait/2, ask) //nolint:mnd // half, as said above

	return func(err error) bool {
		if timer.Stop() {
			if err == nil || conn.heard.Load() {
				return false
			}

			if outcome, _ := dialOutcome(err); outcome != OutcomeClosed {
				return false
			}

			ask()
		}

		return <-answered && err != nil && !conn.heard.Load()
	}
}

// answersShortHello reports whether the other side says anything to a short first message.
func (c *Checker) answersShortHello(ctx context.Context, dial func() (net.Conn, error), target Target) bool {
	conn, err := dial()
	if err != nil {
		return false
	}

	defer func() { _ = conn.Close() }() // nothing is lost with it

	counted := &countingConn{Conn: conn}
	_ = tls.Client(counted, &tls.Config{
		ServerName:         target.host,
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // that anything answers is all that counts
		CurvePreferences:   []tls.CurveID{tls.X25519, tls.CurveP256},
		NextProtos:         []string{"h2", "http/1.1"},
	}).HandshakeContext(ctx)

	return counted.heard.Load()
}

// everyCipher returns all ciphers that there are, those that Go programs refuse by default included.
func everyCipher() []uint16 {
	ciphers := slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites())
	numbers := make([]uint16, 0, len(ciphers))

	for _, cipher := range ciphers {
		numbers = append(numbers, cipher.ID)
	}

	return numbers
}

func isInsecure(cipher uint16) bool {
	return slices.ContainsFunc(tls.InsecureCipherSuites(), func(one *tls.CipherSuite) bool { return one.ID == cipher })
}
