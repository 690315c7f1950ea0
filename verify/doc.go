// Package verify finds out whether a tailnet is reached from where the program runs, and if not, what is missing.
//
// # How to use
//
// A [Target] says what to reach, a [Checker] tries it, and [Diagnose] says what all the results together mean:
//
//	targets, err := verify.ParseTargets("tcp://100.82.13.87:8200", "dns://vault.example.ts.net")
//	checker := &verify.Checker{Wait: time.Minute}
//	results := checker.Check(ctx, targets)
//	findings := verify.Diagnose(results)
//
// The targets are
//
//	tcp://HOST:PORT            a connection is opened and closed
//	https://NAME:PORT/PATH@IP  a request over TLS for NAME (as SNI and Host), sent to IP as curl --resolve does; without
//	                           @IP to where NAME resolves to
//	dns://NAME[@SERVER[:PORT]] the addresses of NAME, by the system's resolver or by SERVER, over UDP, and over TCP when
//	                           the answer is truncated
//	tailnet://NAME             NAME has a tailnet address, and the system's resolver and MagicDNS agree on it
//	talos://NAME[:PORT][@IP]   the Talos API is reached, and its certificate is for NAME
//	kube://NAME[:PORT][@IP]    the Kubernetes API is reached, and its certificate is for NAME
//
// A [Result] tells what became of one target; a [Finding] names a cause and the next step, and may take several results
// to explain: an address that answers while its name does not is another matter than one of the two alone. Results of
// several places, such as a pod and its node, can be given to Diagnose together. [Manifest] makes a Kubernetes Job that
// tries the same targets from inside of a cluster.
//
// The packages below this one look from the other side: verify/nodes through the Talos API, verify/devices through the
// Tailscale API. They report their findings in the same type.
//
// # Stability
//
// Outcomes and codes of findings are stable within a major version, and so are the names of JSON fields. The texts are
// not, and there can be new outcomes and codes.
//
// # Security
//
// Nothing is sent but what the targets say: no credentials, and no redirect is followed. Certificates are verified
// unless [Checker.Insecure] says otherwise, and then nothing is sent that would matter.
package verify
