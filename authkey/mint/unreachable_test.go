package mint_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

// TestMintWithoutAServer is what Mint does when it does not get as far as the API: nothing was made, and the error says
// what to check.
func TestMintWithoutAServer(t *testing.T) {
	t.Parallel()

	tlsServer := tailnettest.NewTLSServer(t)
	transport, ok := tlsServer.Client().Transport.(*http.Transport)
	require.True(t, ok)

	authorities := transport.TLSClientConfig.RootCAs

	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)

	closed := "http://" + listener.Addr().String()
	require.NoError(t, listener.Close())

	nowhere := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "tsbridge.invalid", IsNotFound: true}}
	}
	lost := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "server misbehaving", Name: "tsbridge.invalid", IsTemporary: true}}
	}

	for _, test := range []struct {
		name, url, want string
		transport       *http.Transport
		// again is whether it is tried until the time is up.
		again bool
	}{
		{name: "refused", url: closed, want: "the connection was refused", again: true},
		{name: "no such host", url: "http://tsbridge.invalid", want: "the host's address cannot be found", transport: &http.Transport{DialContext: nowhere}},
		{name: "no name service", url: "http://tsbridge.invalid", want: "the host's address cannot be found", transport: &http.Transport{DialContext: lost}, again: true},
		{name: "unknown authority", url: tlsServer.URL, want: "an authority that this machine does not trust"},
		{name: "no TLS", url: strings.Replace(plain.URL, "http:", "https:", 1), want: "the server does not speak TLS"},
		{name: "expired certificate", url: tlsServer.URL, want: "check this machine's clock", transport: &http.Transport{TLSClientConfig: &tls.Config{
			RootCAs: authorities,
			Time:    func() time.Time { return time.Now().AddDate(200, 0, 0) },
		}}},
		{name: "certificate for another name", url: tlsServer.URL, want: "certificate is for another name", transport: &http.Transport{TLSClientConfig: &tls.Config{
			RootCAs: authorities, ServerName: "other.example.org",
		}}},
		{name: "proxy", url: "http://tsbridge.invalid", want: "invalid proxy address", transport: &http.Transport{
			Proxy: func(*http.Request) (*url.URL, error) {
				return nil, errors.New(`invalid proxy address "https://user:CANARY@proxy:x"`)
			},
		}, again: true},
	} {
		for _, kind := range kinds {
			t.Run(test.name+" "+kind.String(), func(t *testing.T) {
				t.Parallel()

				minter := newMinter(t, tlsServer, kind)
				minter.Client.BaseURL = test.url
				minter.Client.HTTPClient = &http.Client{Transport: &http.Transport{}} // without the environment's proxy
				minter.Client.Timeout = time.Minute

				if test.transport != nil {
					minter.Client.HTTPClient.Transport = test.transport.Clone()
				}

				if test.again {
					minter.Client.Timeout = 2 * time.Second
				}

				_, err := minter.Lease(t.Context(), mint.Options{Tags: []string{"k8s"}})
				require.ErrorContains(t, err, test.want)
				require.NotContains(t, err.Error(), "CANARY")
				require.NotContains(t, err.Error(), "revoke it")

				if test.again {
					require.Regexp(t, ` \(\d+ attempts in `, err.Error())
				} else {
					require.NotContains(t, err.Error(), "attempts")
				}
			})
		}
	}

	t.Cleanup(func() { require.Empty(t, tlsServer.Keys()) })
}
