package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// interrupts is what becomes of the signals that end a program: they end what it is doing, or go to the child that it
// waits for.
type interrupts struct {
	guard   sync.Mutex
	forward func(os.Signal)
}

// watch returns a context that ends with the first signal that is not passed on. Until then a key that was minted can
// still be revoked.
func (i *interrupts) watch(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)

	// without this, writing to a reader who has gone would end the process at once, and its key would stay alive
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	go func() {
		for {
			select {
			case received := <-signals:
				if !i.pass(received) {
					cancel(fmt.Errorf("stopped by a signal: %s", received))
				}
			case <-ctx.Done():
				return
			}
		}
	}()

	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// passTo passes signals on from now, until it is called with nil.
func (i *interrupts) passTo(forward func(os.Signal)) {
	i.guard.Lock()
	defer i.guard.Unlock()

	i.forward = forward
}

func (i *interrupts) pass(received os.Signal) bool {
	i.guard.Lock()
	defer i.guard.Unlock()

	if i.forward == nil {
		return false
	}

	i.forward(received)

	return true
}
