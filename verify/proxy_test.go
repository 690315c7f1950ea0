package verify_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

// Proxies: what they refuse is about them, what they report is about the target, and no password is told.
func TestProxies(t *testing.T) {
	t.Parallel()

	open := serveTCP(t, func(conn net.Conn) { _ = conn.Close() })
	ways := standIns{"100.82.13.87:8200": open.String(), "vault.tail1234.ts.net:8200": open.String(), "100.82.13.88:8200": closedPort(t).String()}
	socks := ways.serveSOCKS(t)

	connect := func(status string) string {
		return serveTCP(t, func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = conn.Write([]byte("HTTP/1.1 " + status + "\r\n\r\n"))
			_, _ = conn.Read(make([]byte, 1))
		}).String()
	}

	for _, test := range []struct {
		proxy, target string
		want          verify.Outcome
	}{
		{"socks5://" + socks, "tcp://100.82.13.87:8200", verify.OutcomeOK},
		{"socks5h://" + socks, "tcp://vault.tail1234.ts.net:8200", verify.OutcomeOK},
		{"socks5://" + socks, "tcp://100.82.13.88:8200", verify.OutcomeRefused},
		{"socks5://" + socks, "tcp://100.82.13.89:8200", verify.OutcomeProxy},
		{"socks5://user:CANARY@" + closedPort(t).String(), "tcp://100.82.13.87:8200", verify.OutcomeProxy},
		{"http://user:CANARY@" + connect("200 OK"), "tcp://100.82.13.87:8200", verify.OutcomeOK},
		{"http://" + connect("407 Proxy Authentication Required"), "tcp://100.82.13.87:8200", verify.OutcomeProxy},
		{"http://" + connect("504 Gateway Timeout"), "tcp://100.82.13.87:8200", verify.OutcomeTimeout},
		{"http://" + connect("502 Bad Gateway"), "tcp://100.82.13.87:8200", verify.OutcomeProxy},
		{"socks5://" + connect("200 OK"), "tcp://100.82.13.87:8200", verify.OutcomeProxy},
	} {
		proxy, err := verify.ParseProxy(test.proxy)
		require.NoError(t, err)
		assert.NotContains(t, proxy.String(), "CANARY")

		result := check(t, &verify.Checker{Dial: proxy.Dial, Proxy: proxy.String(), Timeout: patient}, test.target)[0]
		assert.Equal(t, test.want, result.Outcome, "%s %s: %s", test.proxy, test.target, result.Detail)
		assert.NotContains(t, fmt.Sprintf("%+v %v", result, verify.Diagnose([]verify.Result{result})), "CANARY")
	}

	for _, text := range []string{"", "ftp://h:1", "socks4://h:1", "http://", "socks5://user:CANARY@[::1"} {
		_, err := verify.ParseProxy(text)
		require.Error(t, err, text)
		assert.NotContains(t, err.Error(), "CANARY")
	}
}

// tailscaled's proxy says the same of all that it does not reach: what else it reaches is what tells.
func TestProxiesThatSayLittle(t *testing.T) {
	t.Parallel()

	through := func(target string, outcome verify.Outcome) verify.Result {
		one := result(t, verify.PlaceHost, target, outcome)
		one.Proxy = "socks5://127.0.0.1:1055"

		at, err := netip.ParseAddrPort(strings.TrimPrefix(target, "tcp://"))
		require.NoError(t, err)

		one.Address, one.Port = at.Addr(), at.Port()

		return one
	}

	const other = "tcp://100.82.13.88:8200"

	for _, test := range []struct {
		beside []verify.Result
		want   verify.Code
	}{
		{nil, verify.CodeProxy},
		{[]verify.Result{through("tcp://100.82.13.87:1", verify.OutcomeOK)}, verify.CodePortFiltered},
		{[]verify.Result{through("tcp://100.82.13.87:1", verify.OutcomeProxy)}, verify.CodeProxy},
		{[]verify.Result{through(other, verify.OutcomeOK)}, verify.CodePeerSilent},
		{[]verify.Result{result(t, verify.PlaceHost, other, verify.OutcomeOK)}, verify.CodeProxy},
	} {
		findings := verify.Diagnose(append([]verify.Result{through("tcp://100.82.13.87:8200", verify.OutcomeProxy)}, test.beside...))
		assert.Equal(t, []verify.Code{test.want}, slices.Compact(codes(findings)))
	}
}

// What is said of a proxy has no password in it.
func TestProxyHidesItsPassword(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{
		"socks5://user:CANARY@127.0.0.1:1055": "socks5://127.0.0.1:1055",
		"http://CANARY@proxy.example.com":     "http://proxy.example.com:80",
		"127.0.0.1:1055":                      "http://127.0.0.1:1055",
	} {
		proxy, err := verify.ParseProxy(text)
		require.NoError(t, err)
		assert.Equal(t, want, proxy.String())
	}
}

// Where the environment has a proxy and nothing else works, the finding names it.
func TestUnusedProxy(t *testing.T) {
	t.Parallel()

	const proxy = "socks5://127.0.0.1:1055"

	closed := "tcp://" + closedPort(t).String()
	assert.Equal(t, proxy, check(t, &verify.Checker{UnusedProxy: proxy}, closed)[0].UnusedProxy)
	assert.Empty(t, check(t, &verify.Checker{UnusedProxy: proxy, Dial: new(net.Dialer).DialContext}, closed)[0].UnusedProxy, "another way was taken")

	silent := result(t, verify.PlaceHost, vaultTCP, verify.OutcomeTimeout)
	silent.UnusedProxy = proxy

	findings := verify.Diagnose([]verify.Result{silent})
	require.Equal(t, []verify.Code{verify.CodeProxyUnused}, codes(findings))
	assert.Contains(t, findings[0].Cause, proxy)
}
