package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
)

// explainCertificate explains what is wrong with a certificate that a server showed.
func explainCertificate(r Result) Finding {
	if r.TLS == nil || r.TLS.Faulty == nil {
		return explainUnshown(r)
	}

	var (
		faulty = r.TLS.Faulty.short()
		own    = len(r.TLS.Chain) > 0 && r.TLS.Faulty.Subject == r.TLS.Chain[0].Subject && faulty.NotAfter.Equal(r.TLS.Chain[0].NotAfter)
		which  = "the server's certificate"
	)

	if !own {
		which = "the certificate of the authority " + faulty.Subject + ", in the server's chain,"
	}

	switch r.TLS.Problem {
	case ProblemExpired, ProblemNotYetValid:
		return explainOutOfTime(r, which, own)
	case ProblemName:
		return explainTLSName(r)
	case ProblemAuthorityKey:
		return Finding{
			Code: CodeTLSUntrusted,
			Cause: "the certificate is of an authority called " + faulty.Issuer + ", and the one of that name that is trusted here has another key: one of the two was made anew, " +
				"as with a cluster or a CA that was set up again",
			Next: []string{
				"where the server's is the new one, replace the old certificate of the authority wherever it is trusted: --ca-file here, the trust store of pods",
				"where the server's is the old one, issue its certificate anew, by the new authority",
			},
		}
	case ProblemIncomplete:
		return Finding{
			Code: CodeTLSChain,
			Cause: "the server does not send the intermediate certificate that issued its own: its chain ends at " + faulty.Subject +
				", issued by " + faulty.Issuer + ", which is not among what is trusted here",
			Next: []string{
				"let the server send its full chain, its own certificate first (often a file called fullchain.pem): browsers fetch what is missing, other clients do not",
				"only where " + faulty.Issuer + " is a root: give its certificate with --ca-file FILE",
			},
		}
	case ProblemOrder:
		return Finding{
			Code: CodeTLSChain, Cause: "the server sends its certificates in the wrong order: that of " + faulty.Subject + " stands where another belongs",
			Next: []string{"write them in the server's file in this order: its own, then each one that issued the one before"},
		}
	case ProblemSelfSigned:
		return Finding{
			Code: CodeTLSUntrusted, Cause: "the server's certificate is self-signed (" + faulty.Subject + "), and not among what is trusted here",
			Next: []string{
				"let the server have a certificate of an authority (tailscale cert " + r.Host + ", for a name of the tailnet)",
				"or trust this one: give it with --ca-file FILE; pods need it too, in their own trust store",
			},
		}
	case ProblemUsage:
		return Finding{
			Code: CodeTLSUsage, Cause: which + " may not be used for servers: its extended key usage has no serverAuth",
			Next: []string{"issue it anew with the extended key usage serverAuth; no trust store helps, also not --ca-file"},
		}
	case ProblemNotAuthority, ProblemConstraints, ProblemSignature:
		return Finding{
			Code: CodeTLSConstraints, Cause: r.Detail,
			Next: []string{
				"issue the chain anew: an authority needs CA:TRUE and keyCertSign, a chain within its path length and names, and signatures of SHA-256 or better; " +
					"no trust store helps, also not --ca-file",
			},
		}
	default:
		return Finding{
			Code:  CodeTLSUntrusted,
			Cause: "the certificate is of an authority that is not trusted here: " + faulty.Issuer,
			Next: []string{
				"see that the server sends its full chain, up to the authority: openssl s_client -showcerts",
				"then give the authority's certificate with --ca-file FILE; pods need it too, in their own trust store",
			},
		}
	}
}

// short returns the certificate with names that fit into a sentence.
func (c Certificate) short() Certificate {
	c.Subject, c.Issuer = printable.Clip(c.Subject, longestName), printable.Clip(c.Issuer, longestName)

	return c
}

// explainUnshown explains an outcome about certificates in a result that does not show them, as those of the Job.
func explainUnshown(r Result) Finding {
	problem := Problem("")
	if r.TLS != nil {
		problem = r.TLS.Problem
	}

	if problem == ProblemMalformed {
		return Finding{
			Code: CodeTLSMalformed, Cause: "what the server sends in the handshake is refused here: " + strings.TrimPrefix(r.Detail, malformed),
			Next: []string{
				"look at its certificate: openssl s_client -connect IP:PORT -servername NAME -showcerts; Go programs (talosctl, kubectl, Terraform) refuse what this one does",
				"issue it anew with a positive serial number and a key that is common: ECDSA P-256, or RSA of 2048 to 4096 bits",
			},
		}
	}

	if r.Outcome == OutcomeTLSName {
		return explainTLSName(r)
	}

	finding := Finding{
		Code: CodeTLSUntrusted, Cause: orDefault(r.Detail, "the certificate is refused"),
		Next: []string{
			"see which certificate it is: talos-tsbridge verify " + printable.Word(r.Target) + " on a machine of the tailnet, or openssl s_client -showcerts",
			"mend the server's chain before anybody's trust store",
		},
	}

	switch {
	case r.Outcome == OutcomeTLSExpired:
		finding.Code = CodeTLSExpired
	case problem == ProblemIncomplete:
		finding.Code = CodeTLSChain
		finding.Next = append(finding.Next, "let the server send its full chain, its own certificate first (often a file called fullchain.pem)")
	case problem == ProblemUsage:
		finding.Code = CodeTLSUsage
	case r.Outcome == OutcomeTLSInvalid:
		finding.Code = CodeTLSConstraints
	}

	return finding
}

const timeForm = "2006-01-02 15:04 MST"

func explainOutOfTime(r Result, which string, own bool) Finding {
	faulty := *r.TLS.Faulty
	finding := Finding{Code: CodeTLSExpired}
	clock := "where the clock of this machine is wrong, set that"
	isRoot := !own && faulty.Subject == faulty.Issuer

	if isRoot {
		which = "the root certificate of the authority " + faulty.short().Subject + ", which is trusted here,"
	}

	switch {
	case r.TLS.Problem == ProblemNotYetValid:
		finding.Cause = which + " is not valid before " + faulty.NotBefore.UTC().Format(timeForm)
		finding.Next = []string{"look at the clocks first, this machine's and that of who issued it: date -u", "then issue it anew"}
	case own:
		finding.Cause = which + " expired at " + faulty.NotAfter.UTC().Format(timeForm)
		finding.Next = []string{"renew it (tailscale cert NAME, for one of Tailscale's), and let the server load it", clock}
	case isRoot:
		finding.Cause = which + " expired at " + faulty.NotAfter.UTC().Format(timeForm) + ", and with it all that it issued; the server's own is good"
		finding.Next = []string{
			"renew the authority's root, and give the new one where the old is trusted: --ca-file here, the trust store of pods; renewing the server's changes nothing",
			clock,
		}
	default:
		finding.Cause = which + " expired at " + faulty.NotAfter.UTC().Format(timeForm) + "; the server's own is good"
		finding.Next = []string{
			"let the server send the authority's new certificate, from who issued its own: renewing the server's alone changes nothing unless it comes with the new chain",
			clock,
		}
	}

	return finding
}

// explainTLSName explains a certificate for other names than the one asked for.
func explainTLSName(r Result) Finding {
	names := unnamed

	if r.TLS != nil && len(r.TLS.Chain) > 0 {
		// what a server calls itself is repeated in a command line only where it is a name
		if i := slices.IndexFunc(r.TLS.Chain[0].Names, func(name string) bool { _, err := parseName(name); return err == nil }); i >= 0 {
			names = r.TLS.Chain[0].Names[i]
		}
	}

	switch r.Kind {
	case KindTalos:
		return Finding{
			Code: CodeAPIName, Cause: "the Talos API is reached, and its certificate is not for " + r.Host + ": talosctl refuses it by this name",
			Next: []string{
				"let the certificate have the name: talos-tsbridge --cert-san " + r.Host + " (machine.certSANs), or --magicdns-domain for names of the tailnet",
				"or call the node by its tailnet address, which Talos puts into the certificate by itself",
			},
		}
	case KindKube:
		return Finding{
			Code: CodeAPIName, Cause: "the Kubernetes API is reached, and its certificate is not for " + r.Host + " but for " + namesOf(r.TLS) + ": kubectl refuses it by this name",
			Next: []string{
				"let the certificate have the name: talos-tsbridge --api-server-san " + r.Host + " on the control planes",
				"until then, tell kubectl a name that it has: kubectl config set-cluster CLUSTER --tls-server-name " + names,
			},
		}
	}

	byAddress := r.TLS == nil || r.TLS.ServerName == ""

	switch {
	case byAddress && (r.TLS == nil || len(r.TLS.Chain) == 0 || slices.ContainsFunc(certNames(r.TLS), isDNSName)):
		return sniNeeded(r, names)
	case len(r.TLS.Chain) > 0 && len(certNames(r.TLS)) == 0:
		return Finding{
			Code: CodeTLSName, Cause: r.Detail,
			Next: []string{"issue it anew with subject alternative names (DNS:" + r.Host + ", IP:ADDRESS where clients use one): the common name is not looked at any more"},
		}
	case byAddress:
		return Finding{
			Code: CodeTLSName, Cause: "the certificate is for other addresses than " + r.Host + ": " + namesOf(r.TLS),
			Next: []string{"ask for one of those", "or issue it anew with the address among its subject alternative names, as IP:" + r.Host + " and not as a DNS name"},
		}
	case isDefaultCertificate(r.TLS):
		return Finding{
			Code:  CodeTLSName,
			Cause: "the server shows a certificate that it made for itself (" + r.TLS.Chain[0].short().Subject + "), as one does that has none for " + r.Host + ": " + r.Detail,
			Next: []string{
				"let the server, or the Ingress or proxy before it, have a certificate for " + r.Host + ": look for a wrong host, or a secret that is missing or in another namespace",
				"where the address is wrong, another server answers: check what is behind @",
			},
		}
	}

	ask := "ask for a name that the certificate is for, such as " + names
	if names == unnamed {
		ask = "ask for what the certificate is for: " + namesOf(r.TLS)
	}

	return Finding{
		Code:  CodeTLSName,
		Cause: r.Detail,
		Next: []string{
			ask,
			"or let the server have one for " + r.Host + " (tailscale cert " + r.Host + ", for a name of the tailnet)",
			"where the address is wrong, another server answers: check what is behind @",
		},
	}
}

// unnamed stands for a name that nobody knows.
const unnamed = "NAME"

// certNames returns the names of the server's own certificate.
func certNames(shown *TLS) []string {
	if shown == nil || len(shown.Chain) == 0 {
		return nil
	}

	return shown.Chain[0].Names
}

func isDNSName(name string) bool {
	_, err := parseName(name)

	return err == nil || strings.HasPrefix(name, "*.")
}

// isDefaultCertificate reports whether a certificate is one that a server made for itself, for no name of anybody.
func isDefaultCertificate(shown *TLS) bool {
	return len(shown.Chain) > 0 && shown.Chain[0].Subject == shown.Chain[0].Issuer
}

func sniNeeded(r Result, name string) Finding {
	return Finding{
		Code:  CodeSNINeeded,
		Cause: "the server is asked for by its address, and its certificate is for names: TLS needs the name (SNI)",
		Next:  []string{fmt.Sprintf("write https://%s:%d/@%s; in curl that is --resolve", name, r.Port, r.Address)},
	}
}

// warnings are what there is to say about the TLS of a target that was reached.
//
// Some servers (nginx) finish the handshake without a certificate of the client and refuse the request.
func (s *TLS) warnings(kind Kind, status int) []Finding {
	if s == nil {
		return nil
	}

	var found []Finding

	refused := s.ClientCertificate && slices.Contains([]int{400, 401, 403, 495, 496}, status)

	if (s.ClientCertificateNeeded || refused) && kind != KindTalos && kind != KindKube { // those always want one
		found = append(found, Finding{
			Code: CodeClientCertificate, Cause: "the server is reached, and wants a certificate of the client (mutual TLS) before it answers",
			Next: []string{"nothing, where that is meant: what a client with its certificate gets is not checked here, its way to the server is", "see it with curl --cert FILE --key FILE"},
		})
	}

	if s.Cipher != "" {
		found = append(found, Finding{
			Code:  CodeTLSVersion,
			Cause: "the server agrees on the cipher " + s.Cipher + " and on none that is better, which Go programs (talosctl, kubectl, Terraform) refuse",
			Next:  []string{"let the server speak TLS 1.3, or ciphers of TLS 1.2 with ECDHE and GCM"},
		})
	}

	if !s.Verified || s.Faulty == nil {
		return found
	}

	switch s.Problem {
	case ProblemExpiresSoon:
		which := "the server's certificate"
		if len(s.Chain) > 0 && s.Faulty.Subject != s.Chain[0].Subject {
			which = "the certificate of the authority " + s.Faulty.short().Subject
		}

		found = append(found, Finding{
			Code: CodeTLSExpires, Cause: which + " works until " + s.Faulty.NotAfter.UTC().Format(timeForm) + ", and should have been renewed by now",
			Next: []string{"renew it, and let the server load it; tailscale cert renews nothing by itself: run it regularly"},
		})
	case ProblemOrder:
		found = append(found, Finding{
			Code: CodeTLSChain, Cause: "the server sends its certificates in the wrong order, which works here and not with strict clients: that of " + s.Faulty.short().Subject + " stands where another belongs",
			Next: []string{"write them in the server's file in this order: its own, then each one that issued the one before"},
		})
	}

	return found
}
