package tailnet

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// What is wrong with the bridge is told from what is reached and what is not,
// so it is told right on a real one: without masquerade, with it, and with the
// names that a cluster does not know.
func TestVerifyTellsWhichPlankIsMissing(t *testing.T) {
	needsKernel(t, "verify diagnoses a bridge from a pod behind the node (needs a TUN that other traffic can be routed to)")

	node, pod, address := newBridge(t)
	node.namespace.denyNames(t, "10.244.0.1:53")

	reach, name := "tcp://"+address, "dns://peer.tailnet.example@100.100.100.100"
	clusterName := "dns://peer.tailnet.example@10.244.0.1"

	fromNode := verify(t, node.namespace, 0, "--from=node", reach)

	// The pod alone cannot know why nothing answers; what the node sees tells it.
	file := filepath.Join(t.TempDir(), "node.json")
	if err := os.WriteFile(file, fromNode.raw, 0o600); err != nil {
		t.Fatal(err)
	}

	verify(t, pod, 1, "--from=pod", reach).finds(t, "tailnet-unreachable")
	verify(t, pod, 1, "--from=pod", "--also="+file, reach).finds(t, "no-masquerade")

	masqueradePods(t, node)

	// MagicDNS answers the pod, and the cluster's resolver does not know the name.
	verify(t, pod, 0, "--from=pod", "--wait=30s", reach, name)
	verify(t, pod, 1, "--from=pod", reach, name, clusterName).finds(t, "names-not-bridged")
}

// report is what verify prints with -o json.
type report struct {
	raw      []byte
	Findings []struct {
		Code  string `json:"code"`
		Cause string `json:"cause"`
	} `json:"findings"`
}

func (r report) finds(t *testing.T, code string) {
	t.Helper()

	for _, finding := range r.Findings {
		if finding.Code == code {
			return
		}
	}

	t.Errorf("verify does not find %s but %+v", code, r.Findings)
}

// verify runs our binary inside the namespace.
func verify(t *testing.T, place *namespace, wantCode int, arguments ...string) report {
	t.Helper()

	command := place.command(slices.Concat([]string{programs.bridge, "verify", "--timeout=2s", "-o", "json"}, arguments)...)
	command.Env = []string{"PATH=" + os.Getenv("PATH")}

	output, err := command.Output()

	code := 0

	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}

	result := report{raw: output}
	if err := json.Unmarshal(output, &result); err != nil {
		t.Fatalf("verify %v: %v\n%s", arguments, err, output)
	}

	if code != wantCode {
		t.Errorf("verify %v ends with %d, want %d:\n%s", arguments, code, wantCode, output)
	}

	return result
}

// denyNames answers every question inside the namespace with NXDOMAIN, as the
// DNS of a cluster does for the names of a tailnet that is not bridged.
func (n *namespace) denyNames(t *testing.T, address string) {
	t.Helper()

	var socket net.PacketConn

	if err := n.inside(func() (err error) {
		socket, err = net.ListenPacket("udp4", address)

		return err
	}); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = socket.Close() })

	go func() {
		packet := make([]byte, 1500)

		for {
			size, from, err := socket.ReadFrom(packet)
			if err != nil {
				return
			}

			answer, err := deny(packet[:size])
			if err == nil {
				_, _ = socket.WriteTo(answer, from)
			}
		}
	}()
}

func deny(packet []byte) ([]byte, error) {
	var message dnsmessage.Message

	if err := message.Unpack(packet); err != nil {
		return nil, fmt.Errorf("a question: %w", err)
	}

	message.Response, message.RCode, message.Additionals = true, dnsmessage.RCodeNameError, nil

	return message.Pack()
}
