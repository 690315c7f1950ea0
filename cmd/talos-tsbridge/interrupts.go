package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// interrupts is what becomes of the signals that end a program: the first one ends the context that everything waits with,
// so that the run ends in order, and a second one ends it at once. While a command runs they go to it instead.
type interrupts struct {
	guard   sync.Mutex
	forward func(os.Signal)
	ending  bool
}

// watch returns a context that ends with the first signal that is not passed on. The second one calls atOnce.
func (i *interrupts) watch(ctx context.Context, atOnce func(os.Signal)) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	done := make(chan struct{})

	watched := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		watched = append(watched, syscall.SIGHUP)
	}

	signal.Notify(signals, watched...)

	// without this, writing to a reader who has gone would end the process at once, and its key would stay alive
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	go func() {
		for {
			select {
			case received := <-signals:
				i.receive(received, cancel, atOnce)
			case <-done:
				return
			}
		}
	}()

	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

func (i *interrupts) receive(received os.Signal, cancel context.CancelCauseFunc, atOnce func(os.Signal)) {
	i.guard.Lock()
	defer i.guard.Unlock()

	switch {
	case i.forward != nil:
		i.forward(received)
	case i.ending:
		atOnce(received)
	default:
		i.ending = true

		cancel(stopError{received})
	}
}

// stopError is why a run ended that a signal stopped, in order.
type stopError struct{ by os.Signal }

func (e stopError) Error() string { return "stopped by a signal: " + e.by.String() }

// passTo passes signals on from now, until it is called with nil.
func (i *interrupts) passTo(forward func(os.Signal)) {
	i.guard.Lock()
	defer i.guard.Unlock()

	i.forward = forward
}

// endAtOnce ends the process, and names what it leaves behind.
func (p *program) endAtOnce(received os.Signal) {
	p.say("error", fmt.Sprintf("stopped at once by a second signal: %s", received))

	for _, left := range p.undelivered.list() {
		p.say("error", left)
	}

	os.Exit(exitFailed)
}
