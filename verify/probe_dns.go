package verify

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

func (c *Checker) tryDNS(ctx context.Context, target Target, result *Result) {
	if target.server.IsValid() {
		result.DNS = c.askServer(ctx, target.server, target.host)
	} else {
		result.DNS = c.askSystem(ctx, target.host)
	}

	result.setDNS()
	c.examineForeign(ctx, result)
}

// setDNS makes the result that of its DNS answer.
func (r *Result) setDNS() {
	r.Outcome, r.Detail = r.DNS.Outcome, r.DNS.Detail

	if len(r.DNS.Addresses) > 0 {
		r.Address = r.DNS.Addresses[0]
	}
}

// askSystem asks the resolver that every program on the system uses: its files, search domains and servers.
func (c *Checker) askSystem(ctx context.Context, name string) *DNS {
	addresses, err := c.resolver().LookupNetIP(ctx, "ip", name)
	if err != nil {
		return systemFailure(ctx, err)
	}

	answer := &DNS{Server: SystemResolver, Outcome: OutcomeOK}

	for _, address := range addresses {
		if address = address.Unmap(); !slices.Contains(answer.Addresses, address) {
			answer.Addresses = append(answer.Addresses, address)
		}
	}

	if len(answer.Addresses) == 0 {
		answer.Outcome, answer.Detail = OutcomeNoAddress, "the name has no address"
	}

	return answer
}

func systemFailure(ctx context.Context, err error) *DNS {
	answer := &DNS{Server: SystemResolver}

	failure, ok := errors.AsType[*net.DNSError](err)

	switch {
	case ok && failure.IsNotFound:
		answer.Outcome, answer.Detail = OutcomeNoSuchName, "the system's resolver says that there is no such name"
	case ok && failure.IsTimeout, ctx.Err() != nil:
		answer.Outcome, answer.Detail = OutcomeDNSTimeout, "the system's resolver does not answer"
	case ok && strings.Contains(failure.Err, "too many open files"):
		answer.Outcome, answer.Detail = OutcomeExhausted, "too many open files on this machine"
	case ok && strings.Contains(failure.Err, "refused"):
		answer.Outcome, answer.Detail = OutcomeDNSUnreachable, "the server of the system's resolver is not reached"
	case ok && failure.IsTemporary:
		// what Go makes of SERVFAIL, "server misbehaving", and the C library of it, EAI_AGAIN
		answer.Outcome, answer.Detail = OutcomeServFail, "the system's resolver could not find out"
	default:
		answer.Outcome, answer.Detail = OutcomeDNSBroken, "the system's resolver: "+oneLine(err)
	}

	return answer
}

// tryTailnet compares what programs on the system get for a name with what MagicDNS has for it.
func (c *Checker) tryTailnet(ctx context.Context, target Target, result *Result) {
	magic := make(chan *DNS, 1)

	go func() {
		// MagicDNS runs on this machine or on the node: an answer that takes longer does not come
		const longest = 2 * time.Second

		ctx, cancel := context.WithTimeout(ctx, longest)
		defer cancel()

		magic <- c.askMagicDNS(ctx, target.host)
	}()

	start := time.Now()

	if c.Dial == nil {
		result.DNS = c.askSystem(ctx, target.host)
		result.Latency = Duration(time.Since(start))
	}

	result.MagicDNS = <-magic

	if result.DNS == nil { // the system has no part in what goes another way
		result.DNS = result.MagicDNS
	}

	result.setDNS()

	if result.Outcome != OutcomeOK {
		return
	}

	inTailnet := result.DNS.Addresses[:0:0]

	for _, address := range result.DNS.Addresses {
		if tailaddr.Contains(address) {
			inTailnet = append(inTailnet, address)
		}
	}

	switch {
	case len(inTailnet) == 0:
		result.Outcome, result.Detail = OutcomeNotTailnet, "the name resolves to "+joinAddresses(result.DNS.Addresses)+", which is no address of a tailnet"
		c.examineForeign(ctx, result)
	case result.MagicDNS.Outcome == OutcomeOK && !haveCommon(inTailnet, result.MagicDNS.Addresses):
		result.Outcome = OutcomeStale
		result.Detail = "the name resolves to " + joinAddresses(inTailnet) + ", MagicDNS has " + joinAddresses(result.MagicDNS.Addresses)
		result.Address = inTailnet[0]
	default:
		result.Address = inTailnet[0]
	}
}

// askMagicDNS asks MagicDNS at both of its addresses: it has the one of each family of which the machine has a tailnet
// address. Any answer goes before none.
func (c *Checker) askMagicDNS(ctx context.Context, name string) *DNS {
	if c.MagicDNS.IsValid() {
		return c.askServer(ctx, c.MagicDNS, name)
	}

	servers := []netip.AddrPort{DefaultMagicDNS(), netip.AddrPortFrom(tailaddr.MagicDNS6(), dnsPort)}
	answers := make(chan *DNS, len(servers))

	for _, server := range servers {
		go func() { answers <- c.askServer(ctx, server, name) }()
	}

	var best *DNS

	for range servers {
		answer := <-answers

		switch {
		case answer.Outcome == OutcomeOK:
			return answer
		case best == nil, !best.answered() && (answer.answered() || answer.Server == servers[0].String()):
			best = answer
		}
	}

	return best
}

// answered reports whether a server answered at all.
func (d *DNS) answered() bool { return d != nil && d.Code != "" }

// examineForeign finds out why a name of the tailnet has addresses that are none of one: a search domain answers for it, or
// a server that answers for every name.
func (c *Checker) examineForeign(ctx context.Context, result *Result) {
	if !isForeign(*result) || result.DNS.Server != SystemResolver || c.Dial != nil {
		return
	}

	result.Absolute = c.askSystem(ctx, result.Host+".")

	_, parent, _ := strings.Cut(result.Host, ".")
	madeUp := c.askSystem(ctx, "tsbridge-"+strings.ToLower(rand.Text()[:10])+"."+parent+".")
	result.Wildcard = madeUp.Outcome == OutcomeOK && haveCommon(madeUp.Addresses, result.DNS.Addresses)
}

// isForeign reports whether a name that belongs to a tailnet was answered with addresses that do not.
func isForeign(r Result) bool {
	return r.DNS != nil && r.DNS.Outcome == OutcomeOK && (r.Kind == KindTailnet || isTailnetName(r.Host)) &&
		!slices.ContainsFunc(r.DNS.Addresses, tailaddr.Contains) && len(r.DNS.Addresses) > 0
}

func haveCommon(some, others []netip.Addr) bool {
	return slices.ContainsFunc(some, func(address netip.Addr) bool { return slices.Contains(others, address) })
}

// joinAddresses lists addresses, the first ones of many.
func joinAddresses(addresses []netip.Addr) string {
	const most = 8

	texts := make([]string, 0, len(addresses))
	for _, address := range addresses {
		texts = append(texts, address.String())
	}

	return strings.Join(printable.First(most, texts), ", ")
}

// serverDetail is what the detail of a server's failure begins with.
func serverDetail(server netip.AddrPort, text string) string {
	if server.Port() == dnsPort {
		return server.Addr().String() + " " + text
	}

	return server.String() + " " + text
}

// codeDetail names an answer's code, which the server chose.
func codeDetail(server netip.AddrPort, code string) string {
	return serverDetail(server, "answers "+strings.Trim(quote.Value(code), `"`))
}
