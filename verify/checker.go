package verify

import (
	"cmp"
	"context"
	"crypto/x509"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

// The defaults of a [Checker].
const (
	DefaultTimeout  = 5 * time.Second
	DefaultInterval = 2 * time.Second
	DefaultParallel = 16
)

// DefaultMagicDNS returns the address at which every node of a tailnet with IPv4 finds MagicDNS.
func DefaultMagicDNS() netip.AddrPort { return netip.AddrPortFrom(tailaddr.MagicDNS4(), dnsPort) }

// Resolver is the system's way from a name to addresses; [net.Resolver] is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Checker tries targets. The zero Checker is ready for use. Its fields must not be changed during a check, and several
// checks may be made at a time.
type Checker struct {
	// Timeout bounds one attempt at one target. Default: [DefaultTimeout].
	Timeout time.Duration
	// Wait is for how long a target that fails is tried again. Default: 0, one attempt.
	Wait time.Duration
	// Interval is the pause between two attempts at a target. Default: [DefaultInterval].
	Interval time.Duration
	// Parallel is how many targets are tried at a time. Default: [DefaultParallel].
	Parallel int
	// From is the place that results carry. Default: [PlaceHost].
	From Place
	// CAs are the authorities that certificates are verified against. Default: the system's.
	CAs *x509.CertPool
	// Insecure leaves certificates unverified. They are reported all the same.
	Insecure bool
	// MagicDNS is where targets of the kind tailnet ask for what MagicDNS says. Default: [DefaultMagicDNS].
	MagicDNS netip.AddrPort
	// Resolver is what stands for the system's resolver. Default: [net.DefaultResolver].
	Resolver Resolver
	// Dial, if set, opens the connections instead of the system: that of a program with a tailnet of its own (tsnet's
	// Server.Dial), or [Proxy.Dial]. Names are then resolved at the other end, and name servers are asked over TCP.
	Dial DialFunc
	// Proxy is what results say of Dial: the proxy that it goes through, without a password.
	Proxy string
	// UnusedProxy is a proxy that the environment names and that is not used, for the diagnosis.
	UnusedProxy string
	// OnAttempt, if set, is given the result of each attempt, once at a time.
	OnAttempt func(Result)

	notify sync.Mutex
}

// Check tries the targets and returns a result for each, in their order. It takes at most Wait + Timeout for each
// batch of Parallel targets; when ctx ends, the rest of the results is [OutcomeCanceled].
func (c *Checker) Check(ctx context.Context, targets []Target) []Result {
	results := make([]Result, len(targets))

	var group errgroup.Group

	group.SetLimit(orDefault(c.Parallel, DefaultParallel))

	for i, target := range targets {
		group.Go(func() error {
			results[i] = c.checkUntilOK(ctx, target)

			return nil
		})
	}

	_ = group.Wait() // what failed is in the results

	return results
}

// checkUntilOK tries a target until it is reached or the time is over.
func (c *Checker) checkUntilOK(ctx context.Context, target Target) Result {
	deadline := time.Now().Add(c.Wait)
	interval := orDefault(c.Interval, DefaultInterval)

	for attempt := 1; ; attempt++ {
		result := c.attempt(ctx, target)
		result.Attempts = attempt

		if c.OnAttempt != nil {
			c.notify.Lock()
			c.OnAttempt(result)
			c.notify.Unlock()
		}

		left := time.Until(deadline)
		if result.OK() || result.Outcome == OutcomeCanceled || left <= 0 {
			return result
		}

		select {
		case <-time.After(min(interval, left)):
		case <-ctx.Done():
			return result
		}
	}
}

// attempt tries a target once.
func (c *Checker) attempt(parent context.Context, target Target) Result {
	result := Result{
		Target: target.String(), Kind: target.kind, From: orDefault(c.From, PlaceHost), Host: target.host, Port: target.port,
		Proxy: c.Proxy,
	}

	if parent.Err() != nil {
		result.Outcome, result.Detail = OutcomeCanceled, "not tried"

		return result
	}

	ctx, cancel := context.WithTimeout(parent, orDefault(c.Timeout, DefaultTimeout))
	defer cancel()

	start := time.Now()

	switch target.kind {
	case KindTCP:
		c.tryTCP(ctx, target, &result)
	case KindHTTPS:
		c.tryHTTPS(ctx, target, &result)
	case KindTalos, KindKube:
		c.tryAPI(ctx, target, &result)
	case KindDNS:
		c.tryDNS(ctx, target, &result)
	case KindTailnet:
		c.tryTailnet(ctx, target, &result)
	default:
		result.Outcome, result.Detail = OutcomeFailed, "the target is empty"
	}

	if result.Latency == 0 {
		result.Latency = Duration(time.Since(start))
	}

	result.LatencySeconds = time.Duration(result.Latency).Seconds()

	if !result.OK() && c.Dial == nil {
		result.UnusedProxy = c.UnusedProxy
	}

	if ended(parent) && !result.OK() {
		result.Outcome, result.Detail = OutcomeCanceled, "the check was ended"
	}

	return result
}

// ended reports whether the time of ctx is over, also in the moment before ctx knows.
func ended(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()

	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

func (c *Checker) resolver() Resolver {
	if c.Resolver == nil {
		return net.DefaultResolver
	}

	return c.Resolver
}

func orDefault[T cmp.Ordered](value, standard T) T {
	var zero T
	if value <= zero {
		return standard
	}

	return value
}
