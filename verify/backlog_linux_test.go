package verify_test

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

// A listener that accepts nothing any more is as silent as an address behind a firewall.
func TestSilentPort(t *testing.T) {
	t.Parallel()

	result := check(t, &verify.Checker{Timeout: short}, "tcp://"+fullBacklog(t).String())[0]
	assert.Equal(t, verify.OutcomeTimeout, result.Outcome)
}

// fullBacklog returns an address whose listener accepts no connections any more, so that packets to it are dropped.
func fullBacklog(t *testing.T) netip.AddrPort {
	t.Helper()

	address := listenWithoutBacklog(t)

	for range 16 {
		conn, err := net.DialTimeout("tcp", address.String(), 50*time.Millisecond)
		if err != nil {
			return address
		}

		t.Cleanup(func() { _ = conn.Close() })
	}

	t.Fatal("the backlog does not fill")

	return address
}

// listenWithoutBacklog returns the address of a socket that listens, holds next to no connections and accepts none.
func listenWithoutBacklog(t *testing.T) netip.AddrPort {
	t.Helper()

	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)

	file := os.NewFile(uintptr(socket), "listener")

	t.Cleanup(func() { require.NoError(t, file.Close()) })
	require.NoError(t, syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(socket, 0))

	bound, err := syscall.Getsockname(socket)
	require.NoError(t, err)

	require.IsType(t, &syscall.SockaddrInet4{}, bound)

	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(bound.(*syscall.SockaddrInet4).Port))
}
