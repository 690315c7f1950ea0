package verify

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

func (c *Checker) tryHTTPS(ctx context.Context, target Target, result *Result) {
	conn := c.connect(ctx, target, result)
	if conn == nil {
		return
	}

	defer func() { _ = conn.Close() }() // the outcome is known by then

	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()

	start := time.Now()
	secured := tls.Client(conn, &tls.Config{
		ServerName:         target.host,
		RootCAs:            c.CAs,
		InsecureSkipVerify: c.Insecure, //nolint:gosec // the user's wish, and nothing secret is sent
		MinVersion:         tls.VersionTLS12,
		NextProtos:         []string{"http/1.1"},
	})

	if err := secured.HandshakeContext(ctx); err != nil {
		result.Outcome, result.Detail = tlsOutcome(err)
		result.TLS = shownBefore(err, target)

		if result.Outcome == OutcomeTLSName && result.TLS != nil {
			result.Detail = "the certificate is not for " + target.host + " but for " + namesOf(result.TLS)
		}

		return
	}

	result.TLS = shown(secured.ConnectionState(), target, !c.Insecure)
	result.Outcome, result.Detail = c.request(ctx, secured, target, result)
	result.Latency += Duration(time.Since(start))
}

// request makes the request on the connection. Any answer to it is one, whatever its status: a server that is sealed,
// or wants a login, was reached.
func (c *Checker) request(ctx context.Context, conn net.Conn, target Target, result *Result) (Outcome, string) {
	authority := target.hostPort()
	if target.port == httpsPort {
		authority = bracketed(target.host)
	}

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+authority+target.path, http.NoBody)
	if err != nil {
		return OutcomeFailed, oneLine(err)
	}

	request.Header.Set("User-Agent", "talos-tsbridge")
	request.Close = true

	err = request.Write(conn)

	var response *http.Response
	if err == nil {
		response, err = http.ReadResponse(bufio.NewReader(conn), request)
	}

	if err != nil {
		switch outcome, detail := dialOutcome(err); outcome {
		case OutcomeFailed:
			return OutcomeNoHTTP, "what answers over TLS is not HTTP"
		default:
			return OutcomeNoHTTP, "TLS works, and then: " + detail
		}
	}

	_ = response.Body.Close() // it is not read

	result.Status = response.StatusCode

	return OutcomeOK, ""
}

// tlsOutcome says what an error of the handshake means.
func tlsOutcome(err error) (Outcome, string) {
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return OutcomeNotTLS, "what answers does not speak TLS"
	}

	if alert, ok := errors.AsType[tls.AlertError](err); ok {
		return OutcomeTLSRefused, "the other side refuses the handshake: " + strings.TrimPrefix(alert.Error(), "tls: ")
	}

	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return OutcomeTLSName, "the certificate is for other names"
	}

	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return OutcomeTLSExpired, "the certificate is not valid yet or no longer"
	}

	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return OutcomeTLSUntrusted, "the certificate's authority is not trusted"
	}

	switch outcome, detail := dialOutcome(err); outcome {
	case OutcomeTimeout:
		return OutcomeTLSTimeout, "connected, and no answer to the TLS handshake"
	case OutcomeFailed:
		return OutcomeTLSRefused, "the TLS handshake fails: " + detail
	default:
		return outcome, detail
	}
}

// shownBefore returns the certificates that a failed handshake showed, if it got that far.
func shownBefore(err error, target Target) *TLS {
	failure, ok := errors.AsType[*tls.CertificateVerificationError](err)
	if !ok {
		return nil
	}

	return &TLS{ServerName: sni(target), Chain: chainOf(failure.UnverifiedCertificates)}
}

func shown(state tls.ConnectionState, target Target, verified bool) *TLS {
	return &TLS{
		Version: tls.VersionName(state.Version), ServerName: sni(target), Chain: chainOf(state.PeerCertificates), Verified: verified,
	}
}

func sni(target Target) string {
	if _, ok := target.literal(); ok {
		return ""
	}

	return target.host
}

func chainOf(certificates []*x509.Certificate) []Certificate {
	chain := make([]Certificate, 0, len(certificates))

	for _, certificate := range certificates {
		names := slices.Clone(certificate.DNSNames)

		for _, ip := range certificate.IPAddresses {
			if address, ok := netip.AddrFromSlice(ip); ok {
				names = append(names, address.Unmap().String())
			}
		}

		chain = append(chain, Certificate{
			Subject: certificate.Subject.String(), Issuer: certificate.Issuer.String(), Names: names,
			NotBefore: certificate.NotBefore, NotAfter: certificate.NotAfter,
		})
	}

	return chain
}

// namesOf returns the names of the server's certificate, for a message.
func namesOf(shown *TLS) string {
	const most = 5

	if len(shown.Chain) == 0 || len(shown.Chain[0].Names) == 0 {
		return "no name at all"
	}

	names := shown.Chain[0].Names
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", ..."
	}

	return strings.Join(names, ", ")
}
