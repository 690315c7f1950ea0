package talostest

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/cosi-project/runtime/api/v1alpha1"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"
	"github.com/cosi-project/runtime/pkg/state/protobuf/server"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/emptypb"
)

// AddMaintenance adds a node that waits for its first config, on port 50000 of its address, which has to be one of this
// machine such as 127.0.7.1. Given a config, it is the live node of the cluster after the time that it takes to boot.
func (c *Cluster) AddMaintenance(live *Live, boots time.Duration) error {
	certificate, key, err := c.issue("maintenance")
	if err != nil {
		return err
	}

	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return err
	}

	listener, err := net.Listen("tcp", net.JoinHostPort(live.Address, "50000")) //nolint:noctx // it is there at once
	if err != nil {
		return err
	}

	waiting := &maintenance{
		cluster: c, live: live, boots: boots, state: state.WrapCore(namespaced.NewState(inmem.Build)),
		server: grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}))),
	}

	if !live.NoExtension {
		if err := waiting.state.Create(context.Background(), Extension("tailscale")); err != nil {
			return err
		}
	}

	machine.RegisterMachineServiceServer(waiting.server, waiting)
	v1alpha1.RegisterStateServer(waiting.server, server.NewState(waiting.state))

	go func() { _ = waiting.server.Serve(listener) }()

	c.guard.Lock()
	defer c.guard.Unlock()

	c.closers = append(c.closers, waiting.server.Stop)

	return nil
}

// maintenance is the API of a node that waits for its first config.
type maintenance struct {
	machine.UnimplementedMachineServiceServer

	cluster *Cluster
	live    *Live
	boots   time.Duration
	state   state.State
	server  *grpc.Server
}

func (m *maintenance) Version(context.Context, *emptypb.Empty) (*machine.VersionResponse, error) {
	return &machine.VersionResponse{Messages: []*machine.Version{{
		Version: &machine.VersionInfo{Tag: "v1.14.1"}, Platform: &machine.PlatformInfo{Name: "metal", Mode: "metal"},
	}}}, nil
}

func (m *maintenance) ApplyConfiguration(_ context.Context, request *machine.ApplyConfigurationRequest) (*machine.ApplyConfigurationResponse, error) {
	if request.GetMode() == machine.ApplyConfigurationRequest_TRY {
		return nil, errors.New("a try in maintenance mode leaves the node without an API")
	}

	time.AfterFunc(m.boots, func() {
		m.server.Stop()

		if _, err := m.cluster.AddLive(m.live, request.GetData(), false); err != nil {
			panic(err) // a config that the node took and cannot read is a mistake of the stand-in
		}
	})

	return &machine.ApplyConfigurationResponse{Messages: []*machine.ApplyConfiguration{{Mode: request.GetMode()}}}, nil
}
