package tailnet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// plainAnswer is what net/http says of a server without TLS. It has no type for it.
const plainAnswer = "server gave HTTP response to HTTPS client"

// networkReason is the [Reason] for which there was no answer to a request that was sent, or not.
func networkReason(err error, sent bool) Reason {
	switch {
	case errors.Is(err, context.Canceled):
		return ReasonInterrupted
	case sent, errors.Is(err, context.DeadlineExceeded):
		return ReasonNoAnswer
	}

	return ReasonUnreachable
}

// networkMessage says why there was no answer, and what to do.
func networkMessage(err error, scrub secret.Scrubber) string {
	var (
		unknownAuthority x509.UnknownAuthorityError
		wrongHost        x509.HostnameError
		invalid          x509.CertificateInvalidError
		notTLS           tls.RecordHeaderError
		verification     *tls.CertificateVerificationError
		alert            tls.AlertError
		dns              *net.DNSError
		timeout          net.Error
	)

	switch {
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.As(err, &unknownAuthority):
		return "the server's certificate comes from an authority that this machine does not trust: a proxy that inspects TLS, or a server " +
			"with an authority of its own; add it to the system's certificates, or to a file that SSL_CERT_FILE names"
	case errors.As(err, &wrongHost):
		return "the server's certificate is for another name: check the base URL"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the server's certificate is expired or not yet valid: check this machine's clock, then the server's certificate"
	case errors.As(err, &invalid), errors.As(err, &verification):
		return "the server's certificate is not valid: " + scrub.Line(err.Error())
	case errors.As(err, &notTLS), strings.Contains(err.Error(), plainAnswer):
		return "the server does not speak TLS: check whether the base URL begins with http:// rather than https://"
	case errors.As(err, &alert):
		return "the TLS handshake failed: " + scrub.Line(alert.Error())
	case errors.As(err, &dns):
		return "the host's address cannot be found: check the base URL, the network and the DNS server"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused: check the base URL and that the server runs"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "the server cannot be reached: check the network"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection broke before the answer was there"
	}

	return scrub.Line(err.Error())
}

// isPermanent reports whether retrying cannot help: the server's certificate is refused, or there is no such server.
func isPermanent(err error) bool {
	_, isCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, isNotTLS := errors.AsType[tls.RecordHeaderError](err)
	dns, isDNS := errors.AsType[*net.DNSError](err)

	return isCertificate || isNotTLS || isDNS && dns.IsNotFound || strings.Contains(err.Error(), plainAnswer)
}
