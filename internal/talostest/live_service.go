package talostest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// later does something once the service took its time, unless its document changed meanwhile.
func (l *Live) later(do func()) {
	generation := l.generation

	time.AfterFunc(l.Takes, func() {
		l.guard.Lock()
		defer l.guard.Unlock()

		if generation == l.generation {
			do()
		}
	})
}

// start is what containerboot does with the environment of the document.
func (l *Live) start(key string) {
	arguments := l.active.arguments
	once := strings.Contains(l.document, "TS_AUTH_ONCE=true")

	switch {
	case l.identity && once:
	case l.identity && key == "":
		l.arguments = strings.TrimSpace(strings.ReplaceAll(arguments, "--reset", ""))
	case key == "":
		l.event("Running", "Started task ext-tailscale")

		return
	default:
		if err := l.Join(key); err != nil {
			l.lines = append(l.lines, "boot: 2026/11/30 06:00:00 backend error: "+err.Error(), "tailscaled: shutting down")
			l.event("Waiting", "Error running Containerd(ext-tailscale), going to restart forever: task \"ext-tailscale\" failed: exit code 1")
			l.later(func() { l.start(key) })

			return
		}

		l.identity, l.arguments = true, arguments
	}

	l.event("Running", "Started task ext-tailscale")
	l.setTailnetAddress(true)
}

func (l *Live) goodOnce(key string) error {
	if l.usedKeys[key] {
		return errors.New("authkey already used")
	}

	l.usedKeys[key] = true

	return nil
}

func (l *Live) setTailnetAddress(present bool) {
	address := Address("tailscale0", l.TailnetAddress+"/32")

	if present {
		_ = l.put(address)
	} else {
		_ = l.node.State.Destroy(context.Background(), address.Metadata()) // it need not be there
	}
}

func (l *Live) event(state, message string) {
	l.state = state
	l.events = append(l.events, &machine.ServiceEvent{State: state, Msg: message, Ts: timestamppb.Now()})
}

func (l *Live) services() []*machine.ServiceInfo {
	l.guard.Lock()
	defer l.guard.Unlock()

	if l.NoExtension {
		return nil
	}

	return []*machine.ServiceInfo{{Id: TailscaleServiceID, State: l.state, Events: &machine.ServiceEvents{Events: slices.Clone(l.events)}}}
}

func (l *Live) log() string {
	l.guard.Lock()
	defer l.guard.Unlock()

	return strings.Join(l.lines, "\n") + "\n"
}
