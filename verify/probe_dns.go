package verify

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

func (c *Checker) tryDNS(ctx context.Context, target Target, result *Result) {
	if target.server.IsValid() {
		result.DNS = askServer(ctx, target.server, target.host)
	} else {
		result.DNS = c.askSystem(ctx, target.host)
	}

	result.setDNS()
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

		magic <- askServer(ctx, orDefault(c.MagicDNS, DefaultMagicDNS()), target.host)
	}()

	start := time.Now()
	result.DNS = c.askSystem(ctx, target.host)
	result.Latency = Duration(time.Since(start))

	result.MagicDNS = <-magic
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
	case result.MagicDNS.Outcome == OutcomeOK && !haveCommon(inTailnet, result.MagicDNS.Addresses):
		result.Outcome = OutcomeStale
		result.Detail = "the name resolves to " + joinAddresses(inTailnet) + ", MagicDNS has " + joinAddresses(result.MagicDNS.Addresses)
		result.Address = inTailnet[0]
	default:
		result.Address = inTailnet[0]
	}
}

func haveCommon(some, others []netip.Addr) bool {
	return slices.ContainsFunc(some, func(address netip.Addr) bool { return slices.Contains(others, address) })
}

func joinAddresses(addresses []netip.Addr) string {
	texts := make([]string, 0, len(addresses))
	for _, address := range addresses {
		texts = append(texts, address.String())
	}

	return strings.Join(texts, ", ")
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
