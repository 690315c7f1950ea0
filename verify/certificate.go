package verify

import (
	"bytes"
	"crypto/x509"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
)

// Problem is what is wrong with a certificate that a server showed.
type Problem string

// The problems.
const (
	// ProblemExpired and ProblemNotYetValid: it is out of its time.
	ProblemExpired     Problem = "expired"
	ProblemNotYetValid Problem = "not-yet-valid"
	// ProblemName: it is for other names.
	ProblemName Problem = "name"
	// ProblemSelfSigned: it is signed by itself alone.
	ProblemSelfSigned Problem = "self-signed"
	// ProblemUnknownAuthority: the authority that the chain ends at is not trusted here.
	ProblemUnknownAuthority Problem = "unknown-authority"
	// ProblemAuthorityKey: an authority of the same name is trusted here, with another key: one of the two was made anew.
	ProblemAuthorityKey Problem = "authority-key"
	// ProblemIncomplete: the server does not send the certificate that issued it.
	ProblemIncomplete Problem = "missing-intermediate"
	// ProblemOrder: the certificates are sent in another order than from the server's own to its authority.
	ProblemOrder Problem = "order"
	// ProblemUsage: it may not be used for servers.
	ProblemUsage Problem = "usage"
	// ProblemNotAuthority: it issued another one and is not allowed to.
	ProblemNotAuthority Problem = "not-an-authority"
	// ProblemConstraints: a constraint of an authority rules it out: names, the length of the chain, or an extension that is
	// marked critical and unknown.
	ProblemConstraints Problem = "constraints"
	// ProblemSignature: its signature is of a kind that nobody accepts any more.
	ProblemSignature Problem = "signature"
	// ProblemMalformed: it cannot be read, its key is too short or too long, or the rest of the handshake is none.
	ProblemMalformed Problem = "malformed"
	// ProblemExpiresSoon: it works, and is due for renewal.
	ProblemExpiresSoon Problem = "expires-soon"
)

// verdict is a problem, and the certificate that has it.
type verdict struct {
	problem Problem
	at      *x509.Certificate
	// limit says which constraint rules the chain out.
	limit string
}

// judge says what is wrong with a server's certificates, the first of which is its own; an empty problem where nothing is.
// Where several things are wrong, it is what would have to be mended first.
func judge(shown []*x509.Certificate, name string, roots *x509.CertPool, now time.Time) (problem verdict, trusted bool) {
	own := shown[0]

	// a server's own certificate behind one of an authority: the server proves that it has the key of another than the first
	if own.IsCA && slices.ContainsFunc(shown[1:], func(c *x509.Certificate) bool { return !c.IsCA }) {
		return verdict{problem: ProblemOrder, at: own}, false
	}

	if late := outOfTime(own, now); late != "" {
		return verdict{problem: late, at: own}, false
	}

	if own.VerifyHostname(name) != nil {
		return verdict{problem: ProblemName, at: own}, false
	}

	options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: now}
	for _, certificate := range shown[1:] {
		options.Intermediates.AddCert(certificate)
	}

	chains, err := own.Verify(options)
	if err == nil {
		return judgeTrusted(shown, chains[0], now), true
	}

	return judgeRefused(shown, err, roots, now), false
}

// judgeTrusted looks for what will be a fault later, or is one to other clients.
func judgeTrusted(shown, chain []*x509.Certificate, now time.Time) verdict {
	for i, certificate := range chain {
		if endsSoon(certificate, i == 0, chain[0].NotAfter, now) {
			return verdict{problem: ProblemExpiresSoon, at: certificate}
		}
	}

	for i := range shown[1:] {
		issuer, certificate := shown[i+1], shown[i]
		if !signed(issuer, certificate) && slices.ContainsFunc(shown, func(c *x509.Certificate) bool { return c != certificate && signed(c, certificate) }) {
			return verdict{problem: ProblemOrder, at: issuer}
		}
	}

	return verdict{}
}

// endsSoon reports whether a certificate is due for renewal: a server's own with a third of its lifetime left, or half of it
// where that is shorter than ten days, as ACME clients renew it, and in any case on its last day; one of an authority with
// a month left, unless what it issued ends first anyway.
func endsSoon(certificate *x509.Certificate, own bool, ownEnd, now time.Time) bool {
	const (
		day        = 24 * time.Hour
		short      = 10 * day
		ofAnIssuer = 30 * day
	)

	left, lifetime := certificate.NotAfter.Sub(now), certificate.NotAfter.Sub(certificate.NotBefore)

	switch {
	case !own:
		return left < ofAnIssuer && certificate.NotAfter.Before(ownEnd)
	case left <= day:
		return true
	case lifetime < short:
		return left < lifetime/2 //nolint:mnd // half, as said above
	default:
		return left < lifetime/3 //nolint:mnd // a third, as said above
	}
}

// judgeRefused finds the certificate that is at fault in a chain that was refused.
func judgeRefused(shown []*x509.Certificate, err error, roots *x509.CertPool, now time.Time) verdict {
	path := pathOf(shown)

	for i, certificate := range path {
		if late := outOfTime(certificate, now); late != "" {
			return verdict{problem: late, at: certificate}
		}

		if i > 0 && (!certificate.IsCA || certificate.KeyUsage != 0 && certificate.KeyUsage&x509.KeyUsageCertSign == 0) {
			return verdict{problem: ProblemNotAuthority, at: certificate}
		}

		if !forServers(certificate) {
			return verdict{problem: ProblemUsage, at: certificate}
		}
	}

	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return judgeInvalid(path, invalid)
	}

	if _, ok := errors.AsType[x509.UnhandledCriticalExtension](err); ok {
		return judgeExtension(path)
	}

	for _, certificate := range path {
		switch certificate.SignatureAlgorithm {
		case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
			if !selfIssued(certificate) {
				return verdict{problem: ProblemSignature, at: certificate}
			}
		}
	}

	last := path[len(path)-1]

	switch {
	case isTrustedName(roots, last.RawIssuer):
		return verdict{problem: ProblemAuthorityKey, at: last}
	case selfIssued(last) && len(path) == 1:
		return verdict{problem: ProblemSelfSigned, at: last}
	case len(path) == 1 && (roots != nil || len(shown) > 1 || len(last.IssuingCertificateURL) > 0):
		// nothing of what it sent, and nothing of what is trusted, issued its own
		return verdict{problem: ProblemIncomplete, at: last}
	default:
		return verdict{problem: ProblemUnknownAuthority, at: last}
	}
}

// isTrustedName reports whether an authority of this name is among those that were given.
func isTrustedName(roots *x509.CertPool, name []byte) bool {
	return roots != nil && slices.ContainsFunc(roots.Subjects(), //nolint:staticcheck // it leaves out the system's, and those are not given
		func(subject []byte) bool { return bytes.Equal(subject, name) })
}

func problemOf(reason x509.InvalidReason) Problem {
	switch reason {
	case x509.Expired:
		return ProblemExpired
	case x509.IncompatibleUsage, x509.CANotAuthorizedForExtKeyUsage:
		return ProblemUsage
	case x509.NotAuthorizedToSign:
		return ProblemNotAuthority
	default:
		return ProblemConstraints
	}
}

// pathOf returns the way from the server's own certificate up, as far as the certificates that were shown lead.
func pathOf(shown []*x509.Certificate) []*x509.Certificate {
	path := shown[:1:1]

	for {
		last := path[len(path)-1]

		i := slices.IndexFunc(shown, func(c *x509.Certificate) bool { return !slices.Contains(path, c) && signed(c, last) })
		if i < 0 || selfIssued(last) {
			return path
		}

		path = append(path, shown[i])
	}
}

// signed reports whether the key of issuer signed a certificate, whatever else speaks against it.
func signed(issuer, certificate *x509.Certificate) bool {
	return bytes.Equal(issuer.RawSubject, certificate.RawIssuer) &&
		issuer.CheckSignature(certificate.SignatureAlgorithm, certificate.RawTBSCertificate, certificate.Signature) == nil
}

func selfIssued(certificate *x509.Certificate) bool {
	return bytes.Equal(certificate.RawSubject, certificate.RawIssuer)
}

func outOfTime(certificate *x509.Certificate, now time.Time) Problem {
	switch {
	case now.After(certificate.NotAfter):
		return ProblemExpired
	case now.Before(certificate.NotBefore):
		return ProblemNotYetValid
	default:
		return ""
	}
}

// forServers reports whether a certificate may be used for servers: one that lists no use may be for all.
func forServers(certificate *x509.Certificate) bool {
	return len(certificate.ExtKeyUsage)+len(certificate.UnknownExtKeyUsage) == 0 ||
		slices.Contains(certificate.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || slices.Contains(certificate.ExtKeyUsage, x509.ExtKeyUsageAny)
}

// outcome is what a problem makes of a target.
func (p Problem) outcome() Outcome {
	switch p {
	case "", ProblemExpiresSoon:
		return OutcomeOK
	case ProblemExpired, ProblemNotYetValid:
		return OutcomeTLSExpired
	case ProblemName:
		return OutcomeTLSName
	case ProblemSelfSigned, ProblemUnknownAuthority, ProblemAuthorityKey, ProblemIncomplete:
		return OutcomeTLSUntrusted
	default:
		return OutcomeTLSInvalid
	}
}

// detail says in a line what a problem is.
func (p Problem) detail(target Target, shown *TLS) string {
	const day = "2006-01-02"

	of := "the certificate"
	if shown.Faulty != nil && len(shown.Chain) > 0 && shown.Faulty.Subject != shown.Chain[0].Subject {
		of = "the certificate of " + printable.Clip(shown.Faulty.Subject, longestName) + ", which issued the server's,"
	}

	switch p {
	case ProblemExpired:
		return of + " expired on " + shown.Faulty.NotAfter.UTC().Format(day)
	case ProblemNotYetValid:
		return of + " is not valid before " + shown.Faulty.NotBefore.UTC().Format(day)
	case ProblemName:
		if len(shown.Chain) > 0 && len(shown.Chain[0].Names) == 0 {
			return "the certificate has no names but its subject, " + printable.Clip(shown.Chain[0].Subject, longestName) + ", which clients do not read"
		}

		return "the certificate is not for " + target.host + " but for " + namesOf(shown)
	case ProblemSelfSigned:
		return "the certificate is self-signed, and not trusted"
	case ProblemUnknownAuthority:
		return "the authority of the certificate is not trusted"
	case ProblemAuthorityKey:
		return "an authority of this name is trusted here, with another key"
	case ProblemIncomplete:
		return "the server does not send the certificate that issued its own"
	case ProblemOrder:
		return "the server sends its certificates in the wrong order"
	case ProblemUsage:
		return of + " may not be used for servers"
	case ProblemNotAuthority:
		return of + " may not issue certificates"
	case ProblemSignature:
		return of + " has a signature that is too weak"
	default:
		return of + " is ruled out by a constraint of its authority"
	}
}

// longestName bounds what is repeated of a certificate, in characters. The whole is in the result.
const longestName = 120

func certificateOf(certificate *x509.Certificate) Certificate {
	names := slices.Clone(certificate.DNSNames)

	for _, ip := range certificate.IPAddresses {
		if address, ok := netip.AddrFromSlice(ip); ok {
			names = append(names, address.Unmap().String())
		}
	}

	return Certificate{
		Subject: certificate.Subject.String(), Issuer: certificate.Issuer.String(), Names: names,
		NotBefore: certificate.NotBefore, NotAfter: certificate.NotAfter,
	}
}
