package verify

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	udp = "udp"
	tcp = "tcp"

	// udpSize is the longest answer over UDP that is asked for: what fits through every tunnel in one piece.
	udpSize = 1232
)

var (
	errDNSBroken = errors.New("the answer cannot be read")
	errTruncated = errors.New("the answer is truncated")
)

// askServer asks a name server for the IPv4 addresses of a name, and for the IPv6 ones where it has none.
func (c *Checker) askServer(ctx context.Context, server netip.AddrPort, name string) *DNS {
	answer := c.askType(ctx, server, name, dnsmessage.TypeA)
	if answer.Outcome == OutcomeNoAddress {
		return c.askType(ctx, server, name, dnsmessage.TypeAAAA)
	}

	return answer
}

func (c *Checker) askType(ctx context.Context, server netip.AddrPort, name string, kind dnsmessage.Type) *DNS {
	answer := &DNS{Server: server.String(), Transport: udp}

	message, question, err := c.ask(ctx, server, name, kind, true, answer)
	if err == nil && (message.RCode == dnsmessage.RCodeFormatError || message.RCode == dnsmessage.RCodeNotImplemented) {
		// servers from before EDNS (RFC 6891) understand the question without it
		message, question, err = c.ask(ctx, server, name, kind, false, answer)
	}

	if question == nil {
		answer.Outcome, answer.Detail = OutcomeFailed, "the name cannot be asked for: "+oneLine(err)

		return answer
	}

	if err != nil {
		answer.Outcome, answer.Detail = dnsFailure(err)
		answer.Detail = serverDetail(server, answer.Detail)

		if answer.Transport == tcp && c.Dial == nil {
			answer.Detail += " over TCP, after a truncated answer over UDP"
		}

		return answer
	}

	answer.Code = codeName(message.RCode)
	answer.Addresses = question.addressesOf(message)

	switch message.RCode {
	case dnsmessage.RCodeSuccess:
		answer.Outcome = OutcomeOK

		if len(answer.Addresses) == 0 {
			answer.Outcome, answer.Detail = OutcomeNoAddress, serverDetail(server, "has the name, without an address")
		}

		return answer
	case dnsmessage.RCodeNameError:
		answer.Outcome = OutcomeNoSuchName
	case dnsmessage.RCodeServerFailure:
		answer.Outcome = OutcomeServFail
	default:
		answer.Outcome = OutcomeDNSRefused
	}

	answer.Detail = codeDetail(server, answer.Code)

	return answer
}

// ask asks once, over TCP where the answer over UDP is truncated or UDP is not to be had. There is no question for a name that
// cannot be asked for.
func (c *Checker) ask(
	ctx context.Context, server netip.AddrPort, name string, kind dnsmessage.Type, extended bool, answer *DNS,
) (message *dnsmessage.Message, question *question, err error) {
	if question, err = newQuestion(name, kind, extended); err != nil {
		return nil, nil, err
	}

	if c.Dial != nil {
		answer.Transport = tcp
		message, err = question.overTCP(ctx, server, c.Dial)
	} else if message, err = question.overUDP(ctx, server); errors.Is(err, errTruncated) {
		answer.Transport = tcp
		message, err = question.overTCP(ctx, server, new(net.Dialer).DialContext)
	}

	return message, question, err
}

func dnsFailure(err error) (Outcome, string) {
	if errors.Is(err, errDNSBroken) || errors.Is(err, errTruncated) {
		return OutcomeDNSBroken, "sends an answer that cannot be read"
	}

	switch outcome, detail := dialOutcome(err); outcome {
	case OutcomeTimeout:
		return OutcomeDNSTimeout, "does not answer"
	case OutcomeProxy, OutcomeExhausted:
		return outcome, detail
	case OutcomeRefused, OutcomeUnreachable:
		return OutcomeDNSUnreachable, "is not reached: " + detail
	default:
		return OutcomeDNSBroken, "breaks off: " + detail
	}
}

// question is a question that was packed, and what tells its answer.
type question struct {
	id     uint16
	asked  dnsmessage.Question
	packed []byte
}

func newQuestion(name string, kind dnsmessage.Type, extended bool) (*question, error) {
	full, err := dnsmessage.NewName(name + ".")
	if err != nil {
		return nil, err
	}

	var random [2]byte

	_, _ = rand.Read(random[:]) // it never fails

	q := &question{
		id:    binary.BigEndian.Uint16(random[:]),
		asked: dnsmessage.Question{Name: full, Type: kind, Class: dnsmessage.ClassINET},
	}

	message := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: q.id, RecursionDesired: true},
		Questions: []dnsmessage.Question{q.asked},
	}

	if extended {
		var options dnsmessage.ResourceHeader
		if err := options.SetEDNS0(udpSize, dnsmessage.RCodeSuccess, false); err != nil {
			return nil, err
		}

		message.Additionals = []dnsmessage.Resource{{Header: options, Body: &dnsmessage.OPTResource{}}}
	}

	q.packed, err = message.Pack()

	return q, err
}

// overUDP sends the question up to three times, because packets get lost, and waits for its answer.
func (q *question) overUDP(ctx context.Context, server netip.AddrPort) (*dnsmessage.Message, error) {
	conn, err := new(net.Dialer).DialContext(ctx, udp, server.String())
	if err != nil {
		return nil, err
	}

	defer func() { _ = conn.Close() }() // nothing is lost with it

	const sendings = 3

	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(DefaultTimeout)
	}

	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()

	for sending := range sendings {
		if err = conn.SetDeadline(time.Now().Add(time.Until(deadline) / time.Duration(sendings-sending))); err != nil {
			return nil, err
		}

		var message *dnsmessage.Message
		if message, err = q.exchange(conn); err == nil || !isTimeout(err) || ctx.Err() != nil {
			return message, err
		}
	}

	return nil, err
}

func isTimeout(err error) bool {
	outcome, _ := dialOutcome(err)

	return outcome == OutcomeTimeout
}

func (q *question) exchange(conn net.Conn) (*dnsmessage.Message, error) {
	if _, err := conn.Write(q.packed); err != nil {
		return nil, err
	}

	buffer := make([]byte, 1<<16)

	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return nil, err
		}

		// what is no answer to this question may be one to an earlier sending, or a forgery: wait for the right one
		message, err := q.read(buffer[:n])
		if message == nil && err == nil {
			continue
		}

		if err == nil && message.Truncated {
			return nil, errTruncated
		}

		return message, err
	}
}

func (q *question) overTCP(ctx context.Context, server netip.AddrPort, dial DialFunc) (*dnsmessage.Message, error) {
	conn, err := dial(ctx, tcp, server.String())
	if err != nil {
		return nil, err
	}

	defer func() { _ = conn.Close() }() // nothing is lost with it

	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}

	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()

	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(q.packed))), q.packed...) //nolint:gosec // a question is short
	if _, err := conn.Write(framed); err != nil {
		return nil, err
	}

	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}

	text := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, text); err != nil {
		return nil, err
	}

	message, err := q.read(text)
	if message == nil && err == nil || err == nil && message.Truncated {
		return nil, errDNSBroken // over TCP there is no reason to truncate
	}

	return message, err
}

// read unpacks an answer. It returns neither a message nor an error for what answers another question.
func (q *question) read(text []byte) (*dnsmessage.Message, error) {
	var parser dnsmessage.Parser

	header, err := parser.Start(text)
	if err != nil || header.ID != q.id || !header.Response {
		return nil, nil //nolint:nilnil,nilerr // not an answer to this question, and so neither
	}

	// a truncated message may end anywhere: its header is enough
	if header.Truncated {
		return &dnsmessage.Message{Header: header}, nil
	}

	var message dnsmessage.Message
	if err := message.Unpack(text); err != nil {
		return nil, fmt.Errorf("%w: %w", errDNSBroken, err)
	}

	for _, asked := range message.Questions {
		if asked.Type != q.asked.Type || !strings.EqualFold(asked.Name.String(), q.asked.Name.String()) {
			return nil, nil //nolint:nilnil // as above
		}
	}

	return &message, nil
}

// addressesOf returns the addresses that an answer has for the name of the question, each once: those of the name itself,
// and of what it is an alias of. What a server adds for other names does not count.
func (q *question) addressesOf(message *dnsmessage.Message) []netip.Addr {
	const longestChain = 16

	names := []string{strings.ToLower(q.asked.Name.String())}

	for range longestChain {
		before := len(names)

		for _, answer := range message.Answers {
			alias, ok := answer.Body.(*dnsmessage.CNAMEResource)
			if !ok || !slices.Contains(names, strings.ToLower(answer.Header.Name.String())) {
				continue
			}

			if target := strings.ToLower(alias.CNAME.String()); !slices.Contains(names, target) {
				names = append(names, target)
			}
		}

		if len(names) == before {
			break
		}
	}

	var addresses []netip.Addr

	for _, answer := range message.Answers {
		if !slices.Contains(names, strings.ToLower(answer.Header.Name.String())) {
			continue
		}

		var address netip.Addr

		switch body := answer.Body.(type) {
		case *dnsmessage.AResource:
			address = netip.AddrFrom4(body.A)
		case *dnsmessage.AAAAResource:
			address = netip.AddrFrom16(body.AAAA)
		default:
			continue
		}

		if !slices.Contains(addresses, address) {
			addresses = append(addresses, address)
		}
	}

	return addresses
}

// codeName returns the name of a code as other tools print it.
func codeName(code dnsmessage.RCode) string {
	switch code {
	case dnsmessage.RCodeSuccess:
		return "NOERROR"
	case dnsmessage.RCodeFormatError:
		return "FORMERR"
	case dnsmessage.RCodeServerFailure:
		return "SERVFAIL"
	case dnsmessage.RCodeNameError:
		return "NXDOMAIN"
	case dnsmessage.RCodeNotImplemented:
		return "NOTIMP"
	case dnsmessage.RCodeRefused:
		return "REFUSED"
	default:
		return fmt.Sprintf("RCODE%d", code)
	}
}
