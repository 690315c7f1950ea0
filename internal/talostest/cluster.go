// Package talostest is a Talos API for tests: the real one of machinery, over mutual TLS on the loopback interface, with
// nodes whose resources and services a test sets.
package talostest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/cosi-project/runtime/api/v1alpha1"
	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"
	"github.com/cosi-project/runtime/pkg/state/protobuf/server"
	siderox509 "github.com/siderolabs/crypto/x509"
	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	clientconfig "github.com/siderolabs/talos/pkg/machinery/client/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// The roles of a client.
const (
	RoleAdmin  = "os:admin"
	RoleReader = "os:reader"
)

// Cluster is an endpoint that passes calls on to its nodes, as apid does.
type Cluster struct {
	// Endpoint is its address, HOST:PORT.
	Endpoint string

	server    *grpc.Server
	authority *x509.Certificate
	key       *ecdsa.PrivateKey

	guard   sync.Mutex
	nodes   map[string]*Node
	closers []func()
}

// Node is a node of a cluster. Its fields are set before the cluster is asked about it.
type Node struct {
	// State holds its resources.
	State state.State
	// Services are what the machine service lists.
	Services []*machine.ServiceInfo
	// Version and Platform are what the machine service says about itself.
	Version, Platform string
	// Log is the log of the extension's service.
	Log string
	// Latency is how long each answer takes. Down makes calls fail as those to a node that is switched off.
	Latency time.Duration
	Down    bool

	// live is what answers for a node that acts on its config.
	live *Live
}

// Set puts resources into the state of the node, in place of those of the same ID.
func (n *Node) Set(resources ...resource.Resource) error {
	for _, r := range resources {
		_ = n.State.Destroy(context.Background(), r.Metadata()) // it need not be there

		if err := n.State.Create(context.Background(), r); err != nil {
			return err
		}
	}

	return nil
}

// Start starts a cluster without nodes. The caller closes it.
func Start() (*Cluster, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}

	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"talos"}}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}

	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}

	c := &Cluster{key: key, nodes: map[string]*Node{}}

	if c.authority, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}

	certificate, privateKey, err := c.issue("apid")
	if err != nil {
		return nil, err
	}

	pair, err := tls.X509KeyPair(certificate, privateKey)
	if err != nil {
		return nil, err
	}

	clients := x509.NewCertPool()
	clients.AddCert(c.authority)

	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is there at once
	if err != nil {
		return nil, err
	}

	c.Endpoint = listener.Addr().String()
	c.server = grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13,
	})))

	v1alpha1.RegisterStateServer(c.server, &stateServer{cluster: c})
	machine.RegisterMachineServiceServer(c.server, &machineServer{cluster: c})

	go func() { _ = c.server.Serve(listener) }()

	return c, nil
}

// CertifiedAddress is an address of this machine that the certificate of a cluster is for too.
var CertifiedAddress = netip.MustParseAddr("127.0.61.1")

// Listen makes the cluster answer on another address of this machine too, at the port of the Talos API.
func (c *Cluster) Listen(address string) error {
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "50000")) //nolint:noctx // it is there at once
	if err != nil {
		return err
	}

	go func() { _ = c.server.Serve(listener) }()

	return nil
}

// Close stops the cluster, and ends the calls to it.
func (c *Cluster) Close() {
	c.server.Stop()

	c.guard.Lock()
	defer c.guard.Unlock()

	for _, stop := range c.closers {
		stop()
	}
}

// Add adds a node without resources. Its address is what clients call it by, whatever that is.
func (c *Cluster) Add(address string) *Node {
	node := newNode()
	c.put(address, node)

	return node
}

func newNode() *Node { return &Node{State: state.WrapCore(namespaced.NewState(inmem.Build))} }

// put lets a node be asked. Callers may be asking the cluster already, so what a node is has to be set before.
func (c *Cluster) put(address string, node *Node) {
	c.guard.Lock()
	defer c.guard.Unlock()

	c.nodes[address] = node
}

// Talosconfig returns a client configuration whose client has a role and, unless it says otherwise, asks these nodes.
func (c *Cluster) Talosconfig(role string, nodes ...string) ([]byte, error) {
	certificate, key, err := c.issue(role)
	if err != nil {
		return nil, err
	}

	client := clientconfig.NewConfig("test", []string{c.Endpoint}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.authority.Raw}),
		&siderox509.PEMEncodedCertificateAndKey{Crt: certificate, Key: key})
	client.Contexts["test"].Nodes = nodes

	return client.Bytes()
}

// issue returns a certificate and its key, as PEM. The organization of a client's certificate is its role.
func (c *Cluster) issue(organization string) (certificate, privateKey []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}

	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{Organization: []string{organization}},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), CertifiedAddress.AsSlice()}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}

	der, err := x509.CreateCertificate(rand.Reader, template, c.authority, &key.PublicKey, c.key)
	if err != nil {
		return nil, nil, err
	}

	encoded, err := x509.MarshalPKCS8PrivateKey(key)

	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), err
}

// node returns the node that a call is for, once its latency is over.
func (c *Cluster) node(ctx context.Context) (*Node, error) {
	var address string

	if values := metadata.ValueFromIncomingContext(ctx, "node"); len(values) > 0 {
		address = values[0]
	}

	c.guard.Lock()
	node := c.nodes[address]
	down := node == nil || node.Down
	c.guard.Unlock()

	if down {
		return nil, status.Errorf(codes.Unavailable, "connection error: desc = \"transport: Error while dialing: dial tcp %s:50000: connect: no route to host\"", address)
	}

	select {
	case <-time.After(node.Latency):
		return node, nil
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// authorize refuses what holds secrets to those who may only read, as Talos does.
func authorize(ctx context.Context, kind resource.Type) error {
	if kind != runtime.ExtensionServiceConfigType && kind != config.MachineConfigType || isAdmin(ctx) {
		return nil
	}

	return status.Error(codes.PermissionDenied, "not authorized")
}

func isAdmin(ctx context.Context) bool {
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(credentials.TLSInfo); ok {
			for _, certificate := range info.State.PeerCertificates {
				if len(certificate.Subject.Organization) > 0 && certificate.Subject.Organization[0] == RoleAdmin {
					return true
				}
			}
		}
	}

	return false
}

// stateServer serves the states of all nodes.
type stateServer struct {
	v1alpha1.UnimplementedStateServer

	cluster *Cluster
}

func (s *stateServer) Get(ctx context.Context, request *v1alpha1.GetRequest) (*v1alpha1.GetResponse, error) {
	node, err := s.cluster.node(ctx)
	if err == nil {
		err = authorize(ctx, request.GetType())
	}

	if err != nil {
		return nil, err
	}

	return server.NewState(node.State).Get(ctx, request)
}

func (s *stateServer) List(request *v1alpha1.ListRequest, stream grpc.ServerStreamingServer[v1alpha1.ListResponse]) error {
	node, err := s.cluster.node(stream.Context())
	if err == nil {
		err = authorize(stream.Context(), request.GetType())
	}

	if err != nil {
		return err
	}

	return server.NewState(node.State).List(request, stream)
}

type machineServer struct {
	machine.UnimplementedMachineServiceServer

	cluster *Cluster
}

func (s *machineServer) ServiceList(ctx context.Context, _ *emptypb.Empty) (*machine.ServiceListResponse, error) {
	node, err := s.cluster.node(ctx)
	if err != nil {
		return nil, err
	}

	services := node.Services
	if node.live != nil {
		services = node.live.services()
	}

	return &machine.ServiceListResponse{Messages: []*machine.ServiceList{{Services: services}}}, nil
}

func (s *machineServer) ApplyConfiguration(ctx context.Context, request *machine.ApplyConfigurationRequest) (*machine.ApplyConfigurationResponse, error) {
	node, err := s.cluster.node(ctx)

	switch {
	case err != nil:
		return nil, err
	case !isAdmin(ctx):
		return nil, status.Error(codes.PermissionDenied, "not authorized")
	case node.live == nil:
		return nil, status.Error(codes.Unimplemented, "the node is not live")
	}

	if err := node.live.apply(request); err != nil {
		return nil, err
	}

	return &machine.ApplyConfigurationResponse{Messages: []*machine.ApplyConfiguration{{Mode: request.GetMode()}}}, nil
}

func (s *machineServer) Logs(request *machine.LogsRequest, stream grpc.ServerStreamingServer[common.Data]) error {
	node, err := s.cluster.node(stream.Context())

	switch {
	case err != nil:
		return err
	case request.GetId() != TailscaleServiceID || node.live == nil && node.Log == "":
		return status.Error(codes.NotFound, "log was not registered")
	case node.live == nil:
		return stream.Send(&common.Data{Bytes: []byte(node.Log)})
	}

	return stream.Send(&common.Data{Bytes: []byte(node.live.log())})
}

func (s *machineServer) Version(ctx context.Context, _ *emptypb.Empty) (*machine.VersionResponse, error) {
	if len(metadata.ValueFromIncomingContext(ctx, "node")) == 0 { // the endpoint answers for itself
		return &machine.VersionResponse{Messages: []*machine.Version{{Version: &machine.VersionInfo{Tag: "v1.14.1"}}}}, nil
	}

	node, err := s.cluster.node(ctx)
	if err != nil {
		return nil, err
	}

	return &machine.VersionResponse{Messages: []*machine.Version{{
		Version: &machine.VersionInfo{Tag: node.Version}, Platform: &machine.PlatformInfo{Name: node.Platform},
	}}}, nil
}
