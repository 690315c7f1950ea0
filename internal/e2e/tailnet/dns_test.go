package tailnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// The resolver inside tailscaled answers pods, although the node itself takes no
// DNS from the tailnet. It knows the tailnet's names and nothing else.
func TestPodResolvesTailnetNames(t *testing.T) {
	needsKernel(t, "a pod behind the node resolves the tailnet's names (needs a TUN that other traffic can be routed to)")

	tailnet := newTailnet(t)
	key := tailnet.control.reusableKey(t)
	node := tailnet.newNode(t)

	status := node.start(t, printPatch(t, key, "--login-server="+tailnet.control.url, "--hostname=node")).joined(t)

	pod := newPod(t, node)
	masqueradePods(t, node)

	eventually(t, 30*time.Second, "the name of the node resolves", func() error {
		code, addresses, err := pod.resolve("node.tailnet.example.")
		if err != nil {
			return err
		}

		if code != dnsmessage.RCodeSuccess || len(addresses) != 1 || addresses[0] != status.TailscaleIPs[0] {
			return fmt.Errorf("%v %v, want %v", code, addresses, status.TailscaleIPs[0])
		}

		return nil
	})

	code, _, err := pod.resolve("example.com.")
	if err != nil {
		t.Fatal(err)
	}

	if code != dnsmessage.RCodeServerFailure {
		t.Errorf("a name outside of the tailnet is answered with %v", code)
	}
}

// resolve asks the tailnet's resolver from inside the namespace.
func (n *namespace) resolve(name string) (dnsmessage.RCode, []netip.Addr, error) {
	question := dnsmessage.Message{
		Header: dnsmessage.Header{ID: 1, RecursionDesired: true},
		Questions: []dnsmessage.Question{{
			Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET,
		}},
	}

	packet, err := question.Pack()
	if err != nil {
		return 0, nil, err
	}

	var connection net.Conn

	if err := n.inside(func() (err error) {
		connection, err = net.Dial("udp4", "100.100.100.100:53")

		return err
	}); err != nil {
		return 0, nil, err
	}

	defer connection.Close()

	if err := connection.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return 0, nil, err
	}

	if _, err := connection.Write(packet); err != nil {
		return 0, nil, err
	}

	buffer := make([]byte, 1500)

	size, err := connection.Read(buffer)
	if err != nil {
		return 0, nil, err
	}

	var answer dnsmessage.Message

	if err := answer.Unpack(buffer[:size]); err != nil {
		return 0, nil, err
	}

	if answer.ID != question.ID {
		return 0, nil, errors.New("an answer to another question")
	}

	var addresses []netip.Addr

	for _, record := range answer.Answers {
		if a, ok := record.Body.(*dnsmessage.AResource); ok {
			addresses = append(addresses, netip.AddrFrom4(a.A))
		}
	}

	return answer.RCode, addresses, nil
}
