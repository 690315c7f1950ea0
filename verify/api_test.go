package verify_test

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

// The APIs of a cluster have certificates of its own authority: what counts is the names in them.
func TestAPIs(t *testing.T) {
	t.Parallel()

	p := newPKI(t, "lab-cp-1", "lab-cp-1.tail1234.ts.net")
	apid := netip.MustParseAddrPort(serveTLS(t, &tls.Config{
		Certificates: []tls.Certificate{chain(p.leaf)}, MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.trusted,
	}, func(*tls.Conn) {}))
	kube := serveHTTP2(t, chain(p.leaf))
	old := issue(t, p.root, "apid", -90*day, -time.Hour, forServer("lab-cp-1"))
	expired := netip.MustParseAddrPort(serveTLS(t, &tls.Config{Certificates: []tls.Certificate{chain(old)}}, answer))

	for _, test := range []struct {
		kind   verify.Kind
		name   string
		server netip.AddrPort
		want   []verify.Code
	}{
		{verify.KindTalos, "lab-cp-1.tail1234.ts.net", apid, []verify.Code{}},
		{verify.KindTalos, "lab-cp-2.tail1234.ts.net", apid, []verify.Code{verify.CodeAPIName}},
		{verify.KindTalos, "lab-cp-1", expired, []verify.Code{verify.CodeTLSExpired}},
		{verify.KindKube, "lab-cp-1", kube, []verify.Code{}},
		{verify.KindKube, "kubernetes.tail1234.ts.net", kube, []verify.Code{verify.CodeAPIName}},
		{verify.KindKube, "lab-cp-1", closedPort(t), []verify.Code{verify.CodeRefused}},
	} {
		text := fmt.Sprintf("%s://%s:%d@%s", test.kind, test.name, test.server.Port(), test.server.Addr())
		result := check(t, &verify.Checker{}, text)[0]
		assert.Equal(t, test.want, codes(verify.Diagnose([]verify.Result{result})), "%s: %s", text, result.Detail)
		assert.Equal(t, text, result.Target)
	}

	for text, want := range map[string]string{
		"talos://lab-cp-1": "", "kube://LAB-cp-1:6443": "kube://lab-cp-1", "talos://[fd7a:115c:a1e0::1]:50000": "talos://[fd7a:115c:a1e0::1]",
		"kube://lab@100.64.0.1": "",
	} {
		target, err := verify.ParseTarget(text)
		require.NoError(t, err)

		if want == "" {
			want = text
		}

		assert.Equal(t, want, target.String())
	}
}

// What may be a password in a target is not repeated.
func TestTargetsKeepPasswords(t *testing.T) {
	t.Parallel()

	for _, text := range []string{"https://user:CANARY@vault.test/", "https://CANARY@vault.test:8200/x", "tcp://a:CANARY@h:1", "kube://a:CANARY@h"} {
		_, err := verify.ParseTarget(text)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "CANARY")
	}
}
