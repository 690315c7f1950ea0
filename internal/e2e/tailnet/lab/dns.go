package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Resolve asks the tailnet's resolver from inside the namespace.
func (n *Namespace) Resolve(name string) (dnsmessage.RCode, []netip.Addr, error) {
	return n.Ask("udp4", "100.100.100.100:53", name, dnsmessage.TypeA)
}

// Ask asks a resolver from inside the namespace, over udp4 or tcp4.
func (n *Namespace) Ask(network, server, name string, kind dnsmessage.Type) (dnsmessage.RCode, []netip.Addr, error) {
	question := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 1, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
	}

	packet, err := question.Pack()
	if err != nil {
		return 0, nil, err
	}

	answered, err := n.exchange(network, server, packet)
	if err != nil {
		return 0, nil, err
	}

	var answer dnsmessage.Message

	if err := answer.Unpack(answered); err != nil {
		return 0, nil, err
	}

	if answer.ID != question.ID {
		return 0, nil, errors.New("an answer to another question")
	}

	var addresses []netip.Addr

	for _, record := range answer.Answers {
		switch record := record.Body.(type) {
		case *dnsmessage.AResource:
			addresses = append(addresses, netip.AddrFrom4(record.A))
		case *dnsmessage.AAAAResource:
			addresses = append(addresses, netip.AddrFrom16(record.AAAA))
		}
	}

	return answer.RCode, addresses, nil
}

func (n *Namespace) exchange(network, server string, packet []byte) ([]byte, error) {
	var connection net.Conn

	if err := n.Inside(func() (err error) {
		connection, err = net.DialTimeout(network, server, 5*time.Second)

		return err
	}); err != nil {
		return nil, err
	}

	defer connection.Close()

	if err := connection.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}

	buffer := make([]byte, 1500)

	if network == "udp4" {
		if _, err := connection.Write(packet); err != nil {
			return nil, err
		}

		size, err := connection.Read(buffer)

		return buffer[:size], err
	}

	// Over TCP the length comes first.
	if _, err := connection.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)); err != nil {
		return nil, err
	}

	if _, err := io.ReadFull(connection, buffer[:2]); err != nil {
		return nil, err
	}

	answer := make([]byte, binary.BigEndian.Uint16(buffer))
	_, err := io.ReadFull(connection, answer)

	return answer, err
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
