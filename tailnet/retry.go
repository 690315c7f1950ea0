package tailnet

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// DefaultRetryDelay is the wait before the first retry when the RetryDelay of a [Client] does not say.
const DefaultRetryDelay = 500 * time.Millisecond

// By how much each further wait grows, and the longest.
const (
	retryGrowth       = 1.7
	longestRetryDelay = 5 * time.Second
)

// retrier sends a request again as long as its error allows it and the context's deadline leaves time for it.
type retrier struct {
	delay  time.Duration
	notify func(err error, wait time.Duration)
}

// errAgain marks an error after which the request may be sent again. It carries what the server said about when.
type errAgain struct {
	failure *Error
	after   *backoff.RetryAfterError
}

func (e *errAgain) Error() string { return e.failure.Error() }

func (e *errAgain) Unwrap() error {
	if e.after == nil {
		return nil
	}

	return e.after
}

// do runs call until it succeeds, fails for good, or ctx ends. The error is the last call's, with the number of
// attempts; it wraps the context's error when that ended the waiting.
func (r retrier) do(ctx context.Context, call func() error) error {
	var (
		last     *Error
		attempts int
		started  = time.Now()
	)

	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval = r.delay
	waits.Multiplier = retryGrowth
	waits.MaxInterval = max(longestRetryDelay, r.delay)

	options := []backoff.RetryOption{backoff.WithBackOff(waits), backoff.WithMaxElapsedTime(0)}
	if deadline, ok := ctx.Deadline(); ok {
		// There is no use in waiting beyond the deadline, least of all for a server that said how long it takes.
		options = append(options, backoff.WithMaxElapsedTime(max(time.Until(deadline), time.Nanosecond)))
	}

	if r.notify != nil {
		options = append(options, backoff.WithNotify(func(_ error, wait time.Duration) {
			report := *last
			r.notify(&report, wait)
		}))
	}

	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		attempts++

		err := call()
		if err == nil {
			return struct{}{}, nil
		}

		failure, ok := errors.AsType[*Error](err)
		if !ok {
			last = nil

			return struct{}{}, backoff.Permanent(err)
		}

		if last != nil && ctx.Err() != nil && !failure.uncertain {
			// The deadline cut this attempt short. What was wrong is what the one before says.
			return struct{}{}, backoff.Permanent(last)
		}

		last = failure

		if !last.retry {
			return struct{}{}, backoff.Permanent(err)
		}

		again := &errAgain{failure: last}
		if last.retryAfter > 0 {
			again.after = &backoff.RetryAfterError{Duration: last.retryAfter}
		}

		return struct{}{}, again
	}, options...)

	if err == nil || last == nil {
		return err
	}

	last.Attempts, last.Elapsed = attempts, time.Since(started)

	if ended := ctx.Err(); ended != nil {
		if last.cause == nil && errors.Is(ended, context.Canceled) {
			last.Message += "; interrupted before it could be tried again"
		}

		last.cause = ended
	}

	if last.retryAfter > 0 {
		last.Message += "; the server asks to wait " + last.retryAfter.Round(time.Second).String()
	}

	return last
}

// retryAfter reads how long the server asks to wait: seconds, or a time, which counts from the server's own clock where
// the answer tells it. It returns 0 when the server does not say, or says it in a form that is none.
func retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")

	if seconds, err := strconv.Atoi(value); err == nil {
		const day = 24 * 60 * 60

		return time.Duration(min(max(seconds, 0), day)) * time.Second
	}

	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}

	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		now = time.Now()
	}

	return max(at.Sub(now), 0)
}
