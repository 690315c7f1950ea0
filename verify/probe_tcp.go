package verify

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
)

func (c *Checker) tryTCP(ctx context.Context, target Target, result *Result) {
	conn := c.connect(ctx, target, result)
	if conn == nil {
		return
	}

	_ = conn.Close() // that it was open is all that counts

	result.Outcome = OutcomeOK
}

// connect opens a connection to where the target is, to one address after another. It sets what the result says about
// it, and returns nil where there is none.
func (c *Checker) connect(ctx context.Context, target Target, result *Result) net.Conn {
	addresses := c.locate(ctx, target, result)

	for i, address := range addresses {
		result.Address = address

		// a silent address leaves time for those after it
		share := ctx

		if deadline, ok := ctx.Deadline(); ok {
			var cancel context.CancelFunc
			share, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(len(addresses)-i))

			defer cancel()
		}

		start := time.Now()

		conn, err := c.dial(share, address, target)
		if err == nil {
			result.Latency = Duration(time.Since(start))

			if deadline, ok := ctx.Deadline(); ok {
				_ = conn.SetDeadline(deadline) // contexts bound what follows as well
			}

			return conn
		}

		result.Outcome, result.Detail = dialOutcome(err)
	}

	return nil
}

// dial opens a connection to an address of a target, or to its name where the end of the way resolves it.
func (c *Checker) dial(ctx context.Context, address netip.Addr, target Target) (net.Conn, error) {
	if c.Dial == nil {
		return new(net.Dialer).DialContext(ctx, tcp, netip.AddrPortFrom(address, target.port).String())
	}

	if !address.IsValid() {
		return c.Dial(ctx, tcp, target.hostPort())
	}

	return c.Dial(ctx, tcp, netip.AddrPortFrom(address, target.port).String())
}

// locate returns the addresses to connect to, or sets the outcome of the result.
func (c *Checker) locate(ctx context.Context, target Target, result *Result) []netip.Addr {
	if address, ok := target.pinned(); ok {
		return []netip.Addr{address}
	}

	if c.Dial != nil {
		return []netip.Addr{{}}
	}

	result.DNS = c.askSystem(ctx, target.host)
	if result.DNS.Outcome != OutcomeOK {
		result.Outcome, result.Detail = result.DNS.Outcome, result.DNS.Detail

		return nil
	}

	c.examineForeign(ctx, result)

	const most = 4

	return result.DNS.Addresses[:min(most, len(result.DNS.Addresses))]
}

// dialOutcome says what an error of connecting, reading or writing means.
func dialOutcome(err error) (Outcome, string) {
	var timeout net.Error

	switch {
	case errors.Is(err, ErrProxy), errors.Is(err, errBehindProxy):
		return OutcomeProxy, oneLine(err)
	case isAny(err, errnoExhausted):
		return OutcomeExhausted, "too many open files or connections on this machine"
	case isAny(err, errnoRefused), errors.Is(err, errRefused):
		return OutcomeRefused, "connection refused"
	case isAny(err, errnoUnreachable), errors.Is(err, errUnreachable):
		return OutcomeUnreachable, "no route to the address"
	case isAny(err, errnoReset), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return OutcomeClosed, "the other side closed the connection"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return OutcomeTimeout, "no answer"
	default:
		return OutcomeFailed, oneLine(err)
	}
}

func isAny(err error, of []error) bool {
	return slices.ContainsFunc(of, func(one error) bool { return errors.Is(err, one) })
}

// oneLine returns the message of the innermost error, without the addresses that the outer ones repeat.
func oneLine(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}

	return printable.Clip(err.Error(), 200)
}
