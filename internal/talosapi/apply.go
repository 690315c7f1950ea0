package talosapi

import (
	"context"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Persist writes a config to the node's disk and puts it into force without a reboot. It ends a config that is tried.
func (n *Node) Persist(ctx context.Context, config []byte) error {
	return n.apply(ctx, &machine.ApplyConfigurationRequest{Data: config, Mode: machine.ApplyConfigurationRequest_NO_REBOOT})
}

// Try puts a config into force without writing it to any disk. When the time is over, or the node starts again before, the
// config that was in force at the call is back. Persist ends it too, and keeps what it is given.
//
// A config that is tried already must be ended first, since it would be what comes back. A node in maintenance mode must not
// be given a config this way: it boots with it and is left without a Talos API at the end.
func (n *Node) Try(ctx context.Context, config []byte, atMost time.Duration) error {
	return n.apply(ctx, &machine.ApplyConfigurationRequest{
		Data: config, Mode: machine.ApplyConfigurationRequest_TRY, TryModeTimeout: durationpb.New(atMost),
	})
}

// Install gives a node in maintenance mode its first config: the node installs Talos where there is a disk to install it
// to, and starts with the config.
func (n *Node) Install(ctx context.Context, config []byte) error {
	return n.apply(ctx, &machine.ApplyConfigurationRequest{Data: config, Mode: machine.ApplyConfigurationRequest_AUTO})
}

func (n *Node) apply(ctx context.Context, request *machine.ApplyConfigurationRequest) error {
	_, err := n.machinery.ApplyConfiguration(n.in(ctx), request)

	return n.failure(err)
}
