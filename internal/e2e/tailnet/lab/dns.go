package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Resolve asks the tailnet's resolver from inside the namespace.
func (n *Namespace) Resolve(name string) (dnsmessage.RCode, []netip.Addr, error) {
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

	if err := n.Inside(func() (err error) {
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

// DenyNames answers every question inside the namespace with NXDOMAIN, as the
// DNS of a cluster does for the names of a tailnet that is not bridged.
func (n *Namespace) DenyNames(t testing.TB, address string) {
	t.Helper()

	var socket net.PacketConn

	if err := n.Inside(func() (err error) {
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
