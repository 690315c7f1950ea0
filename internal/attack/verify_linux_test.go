package attack

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
)

// evil is what a server may say that a terminal would act on.
var evil = []string{
	"\x1b[2J", "\x1b]0;title\x07", "\x1b]52;c;cm0gLXJm\x07", "\r", "\n", "\u202e", "\u2066", "\u009b31m", "\x00", "\x7f", "%s%n", "\u200f", "\x1bP+q\x1b\\", strings.Repeat("x", 3000),
}

// A server that verify looks at does not write to the terminal, and takes neither memory nor time without end.
func TestVerify(t *testing.T) {
	t.Parallel()

	counts := attack(t, "terminal and bounds", func(ctx context.Context, r *run) {
		server, err := newEvilServer(r)
		if err != nil {
			return
		}

		defer server.close()

		port := server.listener.Addr().(*net.TCPAddr).Port
		target := fmt.Sprintf(pick(r, "https://vault.test:%d/@127.0.0.1", "https://127.0.0.1:%d/", "https://localhost:%d/v1", "tcp://127.0.0.1:%d"), port)
		args := []string{"verify", "--timeout", pick(r, "1s", "1s", "1s", "4s"), target}

		if r.chance(4) {
			args = append(args, fmt.Sprintf("dns://%s@127.0.0.1:%d", pick(r, "vault.test", "vault.example.ts.net"), server.dns()))
		}

		json := r.chance(3)
		if json {
			args = append(args, "-o", "json")
		}

		if r.chance(3) {
			args = append(args, "--insecure")
		}

		what := strings.Join(args, " ") + ", " + server.what

		seen, ok := r.observe(ctx, what, 300<<10, json, args...)
		if !ok {
			return
		}

		if seen.code < 0 || seen.code > 3 {
			r.lost(fmt.Sprintf("%s: exit code %d", what, seen.code))
		}
	})

	require.Greater(t, int(counts.measured.Load()), *runs/10, "runs whose memory was measured")
}

type evilServer struct {
	*run

	listener net.Listener
	packets  net.PacketConn
	config   *tls.Config
	what     string
	answer   func(net.Conn)
}

func newEvilServer(r *run) (*evilServer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}

	s := &evilServer{run: r, listener: listener}
	s.config = &tls.Config{Certificates: []tls.Certificate{s.certificate()}, MinVersion: tls.VersionTLS12}
	s.answer = s.chooseAnswer()
	plain := r.chance(8)

	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}

			go func() {
				defer connection.Close() //nolint:errcheck // a test

				_ = connection.SetDeadline(time.Now().Add(20 * time.Second))

				if plain {
					s.answer(connection)

					return
				}

				secured := tls.Server(connection, s.config)
				if secured.Handshake() == nil {
					s.answer(secured)
				}
			}()
		}
	}()

	return s, nil
}

func (s *evilServer) close() {
	_ = s.listener.Close()

	if s.packets != nil {
		_ = s.packets.Close()
	}
}

// certificate returns one with names that nobody should print as they are.
func (s *evilServer) certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		return tls.Certificate{}
	}

	ascii := func(text string) string {
		return strings.Map(func(one rune) rune {
			if one > unicode.MaxASCII {
				return 'x'
			}

			return one
		}, text)
	}

	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(s.IntN(1 << 30))),
		Subject:      pkix.Name{CommonName: "cn" + pick(s.run, evil...), Organization: []string{pick(s.run, evil...)}},
		NotBefore:    time.Now().Add(time.Duration(s.IntN(96)-72) * time.Hour),
		NotAfter:     time.Now().Add(time.Duration(s.IntN(96)-24) * time.Hour),
		DNSNames:     []string{"a" + ascii(pick(s.run, evil...)) + ".test", pick(s.run, "vault.test", "other.test")},
		IsCA:         s.chance(3), BasicConstraintsValid: s.chance(2),
	}

	if s.chance(3) {
		for range 1000 {
			template.DNSNames = append(template.DNSNames, "n"+ascii(pick(s.run, evil[:6]...))+".test")
		}
	}

	der, err := x509.CreateCertificate(crand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}
	}

	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// chooseAnswer returns what is said once a connection is there.
func (s *evilServer) chooseAnswer() func(net.Conn) {
	text := pick(s.run, evil...)
	status := pick(s.run, "200 OK", "503 no", "100 Continue", "301 moved", "999 "+text, "200 "+text)
	s.what = pick(s.run, "answer", "header without end", "body without end", "headers without end", "continues", "garbage", "slow", "nothing")
	what := s.what

	return func(connection net.Conn) {
		if what != "garbage" {
			_, _ = connection.Read(make([]byte, 4096))
		}

		head := fmt.Sprintf("HTTP/1.1 %s\r\nServer: %s\r\nLocation: https://x/%s\r\n", status, text, text)
		chunk := strings.Repeat("x", 64<<10)

		switch what {
		case "answer":
			_, _ = io.WriteString(connection, head+"Content-Length: 2\r\n\r\nok")
		case "header without end":
			_, _ = io.WriteString(connection, head+"X: ")
			flood(connection, chunk)
		case "headers without end":
			_, _ = io.WriteString(connection, head)
			flood(connection, strings.Repeat("X: y\r\n", 1000))
		case "body without end":
			_, _ = io.WriteString(connection, head+"\r\n")
			flood(connection, chunk)
		case "continues":
			flood(connection, strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100))
		case "garbage":
			_, _ = io.WriteString(connection, text+chunk)
		case "slow":
			for _, one := range head {
				if _, err := io.WriteString(connection, string(one)); err != nil {
					return
				}

				time.Sleep(50 * time.Millisecond)
			}
		}
	}
}

func flood(connection net.Conn, text string) {
	for {
		if _, err := io.WriteString(connection, text); err != nil {
			return
		}
	}
}

// dns serves answers that are wrong in any way, and returns the port.
func (s *evilServer) dns() int {
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return 1
	}

	s.packets = packets
	noise := make([]byte, 40)

	for i := range noise {
		noise[i] = byte(s.IntN(256))
	}

	how := s.IntN(4)

	go func() {
		buffer := make([]byte, 2048)

		for {
			n, from, err := packets.ReadFrom(buffer)
			if err != nil {
				return
			}

			answer := append([]byte{}, buffer[:n]...)
			if len(answer) > 3 {
				answer[2] |= 0x80 // a response
			}

			switch how {
			case 0: // to another question
				answer[0] ^= 0xff
			case 1:
				answer = append(answer[:12], noise...)
			case 2: // an alias with a name that a terminal would act on
				answer[7] = 1
				answer = append(answer, 0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 7, 5, 0x1b, '[', '2', 'J', 0x07, 0)
			case 3: // truncated
				answer[2] |= 0x02
			}

			_, _ = packets.WriteTo(answer, from)
		}
	}()

	return packets.LocalAddr().(*net.UDPAddr).Port
}
