package verify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
)

// maxHeader bounds the header of an answer, in bytes. Servers send a few hundred.
const maxHeader = 64 << 10

func (c *Checker) tryHTTPS(ctx context.Context, target Target, result *Result) {
	judge := func(certificates []*x509.Certificate) bool {
		return c.Insecure || c.judge(certificates, target, result)
	}

	c.tryTLS(ctx, target, result, judge, func(conn *tls.Conn) { c.request(ctx, conn, target, result) })
}

// tryAPI reaches the API of Talos or Kubernetes. Its certificate is of an authority of the cluster's own, which is known to
// those with credentials alone, so what counts is for which names it is, and until when.
func (c *Checker) tryAPI(ctx context.Context, target Target, result *Result) {
	judge := func(certificates []*x509.Certificate) bool {
		own := certificates[0]
		problem := outOfTime(own, time.Now())

		if problem == "" && own.VerifyHostname(target.host) != nil {
			problem = ProblemName
		}

		if problem == "" {
			return true
		}

		faulty := certificateOf(own)
		result.TLS.Problem, result.TLS.Faulty = problem, &faulty
		result.Outcome, result.Detail = problem.outcome(), problem.detail(target, result.TLS)

		return false
	}

	c.tryTLS(ctx, target, result, judge, func(conn *tls.Conn) {
		if target.kind == KindTalos {
			result.Outcome = OutcomeOK // nothing is said to it without a certificate of the client

			return
		}

		c.request(ctx, conn, target, result)
	})
}

// tryTLS connects and makes the handshake, gives the certificates to judge, and the connection to use.
func (c *Checker) tryTLS(ctx context.Context, target Target, result *Result, judge func([]*x509.Certificate) bool, use func(*tls.Conn)) {
	conn := c.connect(ctx, target, result)
	if conn == nil {
		return
	}

	defer func() { _ = conn.Close() }() // the outcome is known by then

	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()

	start := time.Now()
	defer func() { result.Latency += Duration(time.Since(start)) }()

	result.TLS = &TLS{ServerName: sni(target), Chain: []Certificate{}}

	var certificates []*x509.Certificate

	counted := &countingConn{Conn: conn}
	secured := tls.Client(heldConn{counted}, &tls.Config{
		ServerName:         target.host,
		MinVersion:         tls.VersionTLS10,
		CipherSuites:       everyCipher(),               // what other clients speak is told as a warning
		Renegotiation:      tls.RenegotiateOnceAsClient, // how servers before TLS 1.3 ask for a certificate once they have seen the request
		InsecureSkipVerify: true,                        //nolint:gosec // judged here, where the certificate at fault can be named
		NextProtos:         []string{"h2", "http/1.1"},
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			certificates = parseAll(raw)

			return nil
		},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			result.TLS.ClientCertificate = true

			return &tls.Certificate{}, nil
		},
	})

	shortHello := c.tryShortHello(ctx, counted, target, result)
	err := secured.HandshakeContext(ctx)
	result.TLS.LongHelloLost = shortHello(err)

	for _, certificate := range certificates {
		result.TLS.Chain = append(result.TLS.Chain, certificateOf(certificate))
	}

	// a certificate that is wrong is the cause also where the server ends the handshake for another reason
	if len(certificates) > 0 && !judge(certificates) {
		return
	}

	if err != nil {
		explainHandshake(err, result)

		return
	}

	state := secured.ConnectionState()
	result.TLS.Version, result.TLS.Protocol = tls.VersionName(state.Version), state.NegotiatedProtocol

	if isInsecure(state.CipherSuite) {
		result.TLS.Cipher = tls.CipherSuiteName(state.CipherSuite)
	}

	if state.Version < tls.VersionTLS12 {
		result.Outcome, result.Detail = OutcomeTLSVersion, "the server speaks "+result.TLS.Version+" at most, which clients refuse"

		return
	}

	use(secured)
}

// judge sets what the result says about the certificates, and returns whether they are good.
func (c *Checker) judge(certificates []*x509.Certificate, target Target, result *Result) bool {
	judged, trusted := judge(certificates, target.host, c.CAs, time.Now())

	result.TLS.Verified, result.TLS.Problem = trusted, judged.problem

	if judged.at != nil {
		faulty := certificateOf(judged.at)
		result.TLS.Faulty = &faulty
	}

	if trusted {
		return true
	}

	result.Outcome, result.Detail = judged.problem.outcome(), orDefault(judged.limit, judged.problem.detail(target, result.TLS))

	return false
}

// explainHandshake sets the outcome of a handshake that failed.
func explainHandshake(err error, result *Result) {
	alert, alerted := alertOf(err)
	result.TLS.Alert = alert

	if alerted && result.TLS.ClientCertificate && alert.wantsCertificate() {
		result.TLS.ClientCertificateNeeded = true
		result.Outcome = OutcomeOK

		return
	}

	if instead, ok := isNotTLS(err); ok {
		result.TLS.Instead = instead
		result.Outcome, result.Detail = OutcomeNotTLS, "what answers does not speak TLS"

		return
	}

	if result.Outcome, result.Detail = tlsOutcome(err, alert); result.Outcome == OutcomeTLSInvalid {
		result.TLS.Problem = ProblemMalformed
	}
}

// request makes the request on the connection. Any answer to it is one, whatever its status: a server that is sealed,
// or wants a login, was reached.
func (c *Checker) request(ctx context.Context, conn *tls.Conn, target Target, result *Result) {
	authority := target.hostPort()
	if target.port == httpsPort {
		authority = bracketed(target.host)
	}

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+authority+target.path, http.NoBody)
	if err != nil {
		result.Outcome, result.Detail = OutcomeFailed, oneLine(err)

		return
	}

	request.Header.Set("User-Agent", "talos-tsbridge")

	transport := &http.Transport{
		DialTLSContext:         func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		ForceAttemptHTTP2:      true,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}
	defer transport.CloseIdleConnections()

	response, err := transport.RoundTrip(request)
	if err == nil {
		result.Outcome, result.Status = OutcomeOK, response.StatusCode

		// the body is nobody's business; closing it ends the connection instead of reading on
		_ = conn.NetConn().SetDeadline(time.Unix(1, 0))
		_ = response.Body.Close()

		return
	}

	alert, alerted := alertOf(err)
	if !alerted {
		// what the transport says may be that HTTP/2 was not established, and no more
		alert, alerted = lastAlert(conn)
	}

	outcome, detail := dialOutcome(err)

	switch {
	case result.TLS.ClientCertificate && (alerted && alert.wantsCertificate() || outcome == OutcomeClosed):
		// TLS 1.3: the server says so after the handshake
		result.TLS.Alert, result.TLS.ClientCertificateNeeded = alert, true
		result.Outcome = OutcomeOK
	case alerted:
		result.TLS.Alert = alert
		result.Outcome, result.Detail = OutcomeTLSRefused, "the other side ends TLS with the alert "+string(alert)
	case outcome == OutcomeFailed:
		result.Outcome, result.Detail = OutcomeNoHTTP, "what answers over TLS is not HTTP, or has a header without end"
	default:
		result.Outcome, result.Detail = OutcomeNoHTTP, "TLS works, and then: "+detail
	}
}

// lastAlert returns the alert that ended a connection, or that waits in it.
func lastAlert(conn *tls.Conn) (Alert, bool) {
	const longest = 500 * time.Millisecond

	_ = conn.NetConn().SetReadDeadline(time.Now().Add(longest))
	_, err := conn.Read(make([]byte, 1))

	return alertOf(err)
}

// malformed is what the detail of a handshake begins with that this side ended.
const malformed = "the TLS handshake fails: "

// tlsOutcome says what an error of the handshake means that is not about certificates.
func tlsOutcome(err error, alert Alert) (Outcome, string) {
	if alert != "" {
		return OutcomeTLSRefused, "the other side refuses the handshake with the alert " + string(alert)
	}

	switch outcome, detail := dialOutcome(err); outcome {
	case OutcomeTimeout:
		return OutcomeTLSTimeout, "connected, and no answer to the TLS handshake"
	case OutcomeFailed:
		return OutcomeTLSInvalid, malformed + detail
	case OutcomeClosed:
		return outcome, detail + " during the TLS handshake"
	default:
		return outcome, detail
	}
}

func sni(target Target) string {
	if _, ok := target.literal(); ok {
		return ""
	}

	return target.host
}

// parseAll parses the certificates of a handshake, which read them already.
func parseAll(raw [][]byte) []*x509.Certificate {
	parsed := make([]*x509.Certificate, 0, len(raw))

	for _, der := range raw {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return parsed
		}

		parsed = append(parsed, certificate)
	}

	return parsed
}

// namesOf returns the names of the server's certificate, for a message.
func namesOf(shown *TLS) string {
	const most = 5

	if len(shown.Chain) == 0 || len(shown.Chain[0].Names) == 0 {
		return "no name at all"
	}

	names := make([]string, 0, most+1)

	for i, name := range shown.Chain[0].Names {
		if i == most {
			names = append(names, "...")

			break
		}

		names = append(names, printable.Clip(name, longestName))
	}

	return strings.Join(names, ", ")
}
