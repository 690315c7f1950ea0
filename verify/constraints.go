package verify

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
)

// judgeInvalid finds the certificate that says what rules the chain out.
func judgeInvalid(path []*x509.Certificate, invalid x509.CertificateInvalidError) verdict {
	found := verdict{problem: problemOf(invalid.Reason), at: invalid.Cert}

	switch invalid.Reason {
	case x509.TooManyIntermediates:
		found.limit = fmt.Sprintf("the certificate of %s allows no more than %d authorities below it, and there are more",
			printable.Clip(invalid.Cert.Subject.String(), longestName), invalid.Cert.MaxPathLen)
	case x509.CANotAuthorizedForThisName:
		// the error has the certificate with the name; the constraint is in one above
		for _, above := range path[1:] {
			if permitted, excluded := constraintsOf(above); len(permitted)+len(excluded) > 0 {
				found.at = above
				found.limit = "the authority " + printable.Clip(above.Subject.String(), longestName) + " may not issue for a name of the server's certificate: " + limits(permitted, excluded)

				break
			}
		}
	}

	return found
}

// judgeExtension finds the certificate with an extension that has to be understood and is not.
func judgeExtension(path []*x509.Certificate) verdict {
	for _, certificate := range path {
		if unknown := certificate.UnhandledCriticalExtensions; len(unknown) > 0 {
			return verdict{
				problem: ProblemConstraints, at: certificate,
				limit: fmt.Sprintf("the certificate of %s has an extension, %s, that is marked critical and that clients do not know",
					printable.Clip(certificate.Subject.String(), longestName), unknown[0]),
			}
		}
	}

	return verdict{problem: ProblemConstraints, at: path[0]}
}

// constraintsOf returns the names and addresses that an authority may issue for, and may not.
func constraintsOf(authority *x509.Certificate) (permitted, excluded []string) {
	permitted, excluded = slices.Clone(authority.PermittedDNSDomains), slices.Clone(authority.ExcludedDNSDomains)

	for _, network := range authority.PermittedIPRanges {
		permitted = append(permitted, network.String())
	}

	for _, network := range authority.ExcludedIPRanges {
		excluded = append(excluded, network.String())
	}

	return permitted, excluded
}

func limits(permitted, excluded []string) string {
	const most = 5

	said := make([]string, 0, 2) //nolint:mnd // the two below

	if len(permitted) > 0 {
		said = append(said, "it may for "+strings.Join(printable.First(most, permitted), ", ")+" alone")
	}

	if len(excluded) > 0 {
		said = append(said, "it may not for "+strings.Join(printable.First(most, excluded), ", "))
	}

	return printable.Clip(strings.Join(said, ", and "), 2*longestName) //nolint:mnd // two lists
}
