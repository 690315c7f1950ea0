package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"
)

// Control is a Headscale of its own, with one user and an embedded relay.
type Control struct {
	URL    string
	config string // path of its configuration
	user   string // ID of the user whose keys admit the nodes
}

// The relay is the only way for two nodes to find each other before they talk
// directly, so it is on. Names of the outside world are not resolved at all.
var headscaleConfig = template.Must(template.New("config.yaml").Parse(`
server_url: {{.URL}}
listen_addr: {{.Listen}}
metrics_listen_addr: ""
grpc_listen_addr: {{.Host}}:{{.GRPCPort}}
unix_socket: {{.Folder}}/socket
unix_socket_permission: "0700"
noise: {private_key_path: {{.Folder}}/noise.key}
prefixes: {v4: 100.64.0.0/10, v6: "fd7a:115c:a1e0::/48", allocation: sequential}
database: {type: sqlite, sqlite: {path: {{.Folder}}/db.sqlite}}
derp:
  server:
    enabled: true
    region_id: 900
    region_code: e2e
    region_name: e2e
    verify_clients: false
    stun_listen_addr: {{.Host}}:{{.STUNPort}}
    private_key_path: {{.Folder}}/derp.key
    automatically_add_embedded_derp_region: true
    ipv4: {{.Host}}
  urls: []
  auto_update_enabled: false
  update_frequency: 24h
policy: {mode: file, path: {{.Folder}}/policy.json}
dns:
  magic_dns: true
  base_domain: tailnet.example
  override_local_dns: false
disable_check_updates: true
logtail: {enabled: false}
log: {level: info}
`))

// The user owns the tags that the tests ask for, except tag:foreign, and the
// routes of the tests need no approval by hand.
const headscalePolicy = `{
  "groups": {"group:nodes": ["nodes@"]},
  "tagOwners": {"tag:k8s": ["group:nodes"], "tag:talos": ["group:nodes"]},
  "autoApprovers": {"routes": {"10.55.0.0/16": ["tag:k8s", "group:nodes"]}},
  "acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}]
}
`

// NewControl starts a control server: in the LAN's namespace, or on loopback
// where there is none.
func NewControl(t testing.TB, lan *LAN) *Control {
	t.Helper()

	// A socket's path is limited to about a hundred bytes, which t.TempDir may exceed.
	folder, err := os.MkdirTemp("", "headscale-")
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { os.RemoveAll(folder) })

	host, port, grpcPort, stunPort := LANAddress, "8080", "50443", "3478"
	if lan == nil {
		host = "127.0.0.1"
		port, grpcPort, stunPort = FreePort(t, "tcp"), FreePort(t, "tcp"), FreePort(t, "udp")
	}

	listen := net.JoinHostPort(host, port)
	c := &Control{URL: "http://" + listen, config: filepath.Join(folder, "config.yaml")}

	var config bytes.Buffer

	if err := headscaleConfig.Execute(&config, map[string]any{
		"URL": c.URL, "Listen": listen, "Host": host, "GRPCPort": grpcPort, "STUNPort": stunPort, "Folder": folder,
	}); err != nil {
		t.Fatal(err)
	}

	WriteFile(t, c.config, config.String())
	WriteFile(t, filepath.Join(folder, "policy.json"), headscalePolicy)

	argv := []string{Programs.Headscale, "serve", "--config", c.config}
	if lan != nil {
		argv = lan.Enter(argv...)
	}

	started := StartProcess(t, "headscale", exec.Command(argv[0], argv[1:]...), &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL})

	Eventually(t, 30*time.Second, "headscale answers", func() error {
		if started.Ended() {
			t.Fatalf("headscale ended:\n%s", started.Log())
		}

		_, err := c.Headscale("users", "list")

		return err
	})

	var user struct {
		ID json.Number `json:"id"`
	}

	c.ask(t, &user, "users", "create", "nodes")
	c.user = user.ID.String()

	return c
}

// SingleUseKey mints a key that admits one node.
func (c *Control) SingleUseKey(t testing.TB) string {
	t.Helper()

	return c.mint(t)
}

// ReusableKey mints a key for tests of several nodes.
func (c *Control) ReusableKey(t testing.TB) string {
	t.Helper()

	return c.mint(t, "--reusable")
}

func (c *Control) mint(t testing.TB, flags ...string) string {
	t.Helper()

	var minted struct {
		Key string `json:"key"`
	}

	c.ask(t, &minted, append([]string{"preauthkeys", "create", "--user", c.user, "--expiration", "1h"}, flags...)...)

	if minted.Key == "" {
		t.Fatal("headscale made an empty key")
	}

	return minted.Key
}

// Device is the control server's view of a node.
type Device struct {
	Name            string   `json:"given_name"`
	Tags            []string `json:"valid_tags"` // asked for by the node, and allowed
	AvailableRoutes []string `json:"available_routes"`
	ApprovedRoutes  []string `json:"approved_routes"`
	Online          bool     `json:"online"`
}

func (c *Control) Devices(t testing.TB) []Device {
	t.Helper()

	var devices []Device

	c.ask(t, &devices, "nodes", "list")

	return devices
}

// Knows waits until the control server's view is as it should be.
func (c *Control) Knows(t testing.TB, want Device) {
	t.Helper()

	Eventually(t, 20*time.Second, "the control server's view is right", func() error {
		devices := c.Devices(t)

		for _, device := range devices {
			if reflect.DeepEqual(device, want) {
				return nil
			}
		}

		return fmt.Errorf("it knows %+v, want %+v", devices, want)
	})
}

// ApproveRoutes lets a device serve a route that it advertises.
func (c *Control) ApproveRoutes(t testing.TB, hostname, route string) {
	t.Helper()

	var devices []struct {
		ID   uint64 `json:"id"`
		Name string `json:"given_name"`
	}

	c.ask(t, &devices, "nodes", "list")

	for _, device := range devices {
		if device.Name == hostname {
			if _, err := c.Headscale("nodes", "approve-routes", "--identifier", strconv.FormatUint(device.ID, 10), "--routes", route); err != nil {
				t.Fatal(err)
			}

			return
		}
	}

	t.Fatalf("the control server has no device %s", hostname)
}

func (c *Control) ask(t testing.TB, answer any, args ...string) {
	t.Helper()

	output, err := c.Headscale(args...)
	if err != nil {
		t.Fatal(err)
	}

	if err := json.Unmarshal(output, answer); err != nil {
		t.Fatalf("headscale %v: %v\n%s", args, err, output)
	}
}

func (c *Control) Headscale(args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	var stderr bytes.Buffer

	command := exec.CommandContext(ctx, Programs.Headscale, append(args, "--config", c.config, "--output", "json")...)
	command.Stderr = &stderr

	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("headscale %s: %w\n%s%s", strings.Join(args, " "), err, output, &stderr)
	}

	return output, nil
}

func FreePort(t testing.TB, network string) string {
	t.Helper()

	if network == "udp" {
		socket, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}

		defer socket.Close()

		return strconv.Itoa(socket.LocalAddr().(*net.UDPAddr).Port)
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	defer listener.Close()

	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}
