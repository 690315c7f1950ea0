package authkey

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"syscall"
	"unicode"
)

// plainAnswer is what net/http says of a server without TLS. It has no type for it.
const plainAnswer = "server gave HTTP response to HTTPS client"

// networkMessage says why there was no answer, and what to do.
func networkMessage(err error, scrub scrubber) string {
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
		return "the server's certificate is not valid: " + scrub.text(err.Error())
	case errors.As(err, &notTLS), strings.Contains(err.Error(), plainAnswer):
		return "the server does not speak TLS: check whether the base URL begins with http:// rather than https://"
	case errors.As(err, &alert):
		return "the TLS handshake failed: " + scrub.text(alert.Error())
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

	return scrub.text(err.Error())
}

// scrubber takes credentials out of text that others wrote: a server that repeats the request in its error, a proxy
// address with a password.
type scrubber []string

// requestScrubber knows what a request carries as credentials, in the forms in which it carries them.
func requestScrubber(req *http.Request, more ...string) scrubber {
	var known scrubber

	for _, secret := range more {
		known = append(known, secret, url.QueryEscape(secret))
	}

	if _, value, ok := strings.Cut(req.Header.Get("Authorization"), " "); ok {
		known = append(known, value)

		if plain, err := base64.StdEncoding.DecodeString(value); err == nil {
			user, password, _ := strings.Cut(string(plain), ":")
			if password != "" {
				user = "" // an OAuth client's ID, which is no secret; without a password, the user is an API access token
			}

			known = append(known, string(plain), user, password)
		}
	}

	return known
}

var secretForms = []struct {
	form *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(?i)\b[th]skey-[a-z0-9_?=&.-]+`), Redacted},
	{regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*`), Redacted},
	{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[a-z0-9+/_=.~-]+`), "$1 " + Redacted},
	{regexp.MustCompile(`//[^/@\s"]+@`), "//" + Redacted + "@"},
}

// text returns one printable line of text without credentials, cut at a length that a message can bear.
func (s scrubber) text(text string) string {
	const longest, shortest = 300, 6

	for _, secret := range s {
		if len(secret) >= shortest {
			text = strings.ReplaceAll(text, secret, Redacted)
		}
	}

	for _, secret := range secretForms {
		text = secret.form.ReplaceAllString(text, secret.with)
	}

	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}

		return r
	}, text)

	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest]) + "..."
	}

	return strings.TrimRight(text, ". ")
}

// stays reports whether an error is one that does not pass by waiting: the server's certificate is refused, or there is
// no such server.
func stays(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		notTLS       tls.RecordHeaderError
		dns          *net.DNSError
	)

	return errors.As(err, &verification) || errors.As(err, &notTLS) || errors.As(err, &dns) && dns.IsNotFound ||
		strings.Contains(err.Error(), plainAnswer)
}
