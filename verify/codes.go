package verify

// The codes of [Diagnose].
const (
	// CodeNamesNotBridged: tailnet addresses are reached and names of the tailnet do not resolve.
	CodeNamesNotBridged Code = "names-not-bridged"
	// CodeNoMasquerade: a pod does not reach a tailnet address that its node, or another machine, reaches.
	CodeNoMasquerade Code = "no-masquerade"
	// CodeTailnetUnreachable: no tailnet address is reached from this place.
	CodeTailnetUnreachable Code = "tailnet-unreachable"
	// CodePeerSilent: one tailnet address is not reached while others are.
	CodePeerSilent Code = "peer-silent"
	// CodePortFiltered: an address answers on one port and not on another.
	CodePortFiltered Code = "port-filtered"
	// CodeRouteSilent: an address behind a subnet router (4via6) is not reached.
	CodeRouteSilent Code = "route-silent"
	// CodeProxy: the proxy is not reached, or does not get through.
	CodeProxy Code = "proxy-failed"
	// CodeProxyUnused: no tailnet address is reached, and the environment names a proxy.
	CodeProxyUnused Code = "proxy-unused"
	// CodeExhausted: this machine has no file descriptor left.
	CodeExhausted Code = "out-of-descriptors"
	// CodeAddressSilent: an address outside of the tailnet is not reached.
	CodeAddressSilent Code = "address-silent"
	// CodeRefused: nothing listens on the port.
	CodeRefused Code = "port-refused"
	// CodeClosed: the connection is closed right after it was opened.
	CodeClosed Code = "connection-closed"

	// CodeNameUnknown: MagicDNS does not have the name.
	CodeNameUnknown Code = "name-unknown"
	// CodeMagicDNSSilent: MagicDNS is not reached.
	CodeMagicDNSSilent Code = "magicdns-silent"
	// CodeSplitDNS: the tailnet has a name server for the domain, which the resolver in use does not ask.
	CodeSplitDNS Code = "split-dns"
	// CodeNotMagicDNS: MagicDNS was asked for a name that is none of the tailnet.
	CodeNotMagicDNS Code = "not-a-tailnet-name"
	// CodeSearchDomain: a search domain answers for a name of the tailnet.
	CodeSearchDomain Code = "search-domain"
	// CodeWildcard: a name server answers for every name, also for those of the tailnet.
	CodeWildcard Code = "wildcard-dns"
	// CodeFunnel: a name of the tailnet is answered with the public address of Funnel.
	CodeFunnel Code = "funnel-address"
	// CodeNXDomain: a name server is certain that the name does not exist.
	CodeNXDomain Code = "dns-nxdomain"
	// CodeServFail: a name server could not find out.
	CodeServFail Code = "dns-servfail"
	// CodeDNSFailed: a name server does not answer, refuses or answers nonsense.
	CodeDNSFailed Code = "dns-failed"
	// CodeNoAddress: the name has no address.
	CodeNoAddress Code = "dns-no-address"
	// CodeStaleCopy: a copy of a name holds another address than MagicDNS.
	CodeStaleCopy Code = "stale-copy"
	// CodeNotTailnet: the name of a device resolves to an address outside of the tailnet.
	CodeNotTailnet Code = "not-tailnet"

	// CodeSNINeeded: the server chooses its certificate by name, and was asked by address.
	CodeSNINeeded Code = "sni-needed"
	// CodeTLSName: the certificate is for other names.
	CodeTLSName Code = "tls-name"
	// CodeTLSUntrusted: the certificate's authority is unknown here.
	CodeTLSUntrusted Code = "tls-untrusted"
	// CodeTLSExpired: a certificate of the server's chain is not valid now.
	CodeTLSExpired Code = "tls-expired"
	// CodeTLSExpires: it works, and a certificate of the chain is due for renewal.
	CodeTLSExpires Code = "tls-expires"
	// CodeTLSChain: the server sends its chain without an intermediate certificate, or in the wrong order.
	CodeTLSChain Code = "tls-chain"
	// CodeTLSUsage: a certificate may not be used for servers.
	CodeTLSUsage Code = "tls-usage"
	// CodeTLSConstraints: a certificate is ruled out by a constraint, or was issued by one that is no authority.
	CodeTLSConstraints Code = "tls-constraints"
	// CodeTLSVersion: the server speaks old versions of TLS only, or ciphers that not every client takes.
	CodeTLSVersion Code = "tls-version"
	// CodeTLSMalformed: what the server sends in the handshake is refused here: a certificate that cannot be read, a key that
	// is too short or too long, or what the protocol does not allow.
	CodeTLSMalformed Code = "tls-malformed"
	// CodeTLSNoCertificate: the device has no certificate for its name of the tailnet.
	CodeTLSNoCertificate Code = "tls-no-certificate"
	// CodeTLSServerError: the server failed in the handshake.
	CodeTLSServerError Code = "tls-server-error"
	// CodeSNIUnknown: the server does not know the name that was asked for.
	CodeSNIUnknown Code = "sni-unknown"
	// CodeAPIName: the certificate of the API of Talos or Kubernetes is not for the name.
	CodeAPIName Code = "api-name"
	// CodeClientCertificate: the server is reached, and wants a certificate of the client.
	CodeClientCertificate Code = "client-certificate"
	// CodeTLSStalled: connections open and the TLS handshake does not end.
	CodeTLSStalled Code = "tls-stalled"
	// CodeTLSRefused: the other side refuses the handshake.
	CodeTLSRefused Code = "tls-refused"
	// CodeNotTLS: what answers does not speak TLS.
	CodeNotTLS Code = "not-tls"
	// CodeNoHTTP: what answers over TLS does not speak HTTP.
	CodeNoHTTP Code = "no-http"
	// CodeHTTPStatus: the server answers that it has an error.
	CodeHTTPStatus Code = "http-status"

	// CodeCanceled: the check was ended before it had an outcome.
	CodeCanceled Code = "canceled"
	// CodeFailed: any other failure.
	CodeFailed Code = "failed"
)
