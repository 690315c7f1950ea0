package verify

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

// DefaultImage is the public image that [Manifest] uses: curl's own, which has nc, nslookup and getent as well.
const DefaultImage = "docker.io/curlimages/curl:8.14.1"

// ManifestOptions says how a [Manifest] checks. The zero ManifestOptions are ready for use.
type ManifestOptions struct {
	// Image has a shell, curl, getent, nc and nslookup, and needs neither root nor a writable file system. Default:
	// [DefaultImage].
	Image string
	// Timeout and Wait are as in [Checker], in whole seconds, rounded up.
	Timeout, Wait time.Duration
	// CAs are certificates in PEM that servers are verified against. Anything else in it is left out, so that a key beside
	// them does not get into the cluster. Default: those of the image.
	CAs []byte
	// Insecure leaves certificates unverified.
	Insecure bool
	// MagicDNS is as in [Checker], on port 53.
	MagicDNS netip.AddrPort
}

// Manifest returns a Kubernetes Job, as YAML, that tries the targets from a pod with the tools of a public image, and
// says in its log what became of them. The Job fails when one is not reached. The pod meets the restricted Pod Security
// Standard and has no service account token.
//
//	talos-tsbridge verify --manifest tcp://100.82.13.87:8200 | kubectl apply -f -
//	kubectl wait --for=condition=complete --timeout=2m job/talos-tsbridge-verify
//	kubectl logs job/talos-tsbridge-verify
//
// It fails without targets, for an image that is none, for a name server with another port than 53, which the tools cannot ask, and for CAs without
// a certificate.
func Manifest(targets []Target, options ManifestOptions) ([]byte, error) {
	if len(targets) == 0 {
		return nil, errors.New("there is nothing to verify: write " + TargetUsage)
	}

	certificates, err := onlyCertificates(options.CAs)
	faults := []error{err}

	magic := orDefault(options.MagicDNS, DefaultMagicDNS())
	if magic.Port() != dnsPort {
		faults = append(faults, fmt.Errorf("magic-dns %s has a port that the tools in the pod cannot ask: leave it out", magic))
	}

	image := orDefault(options.Image, DefaultImage)
	if !isImageName(image) {
		faults = append(faults, fmt.Errorf("image %s is not the name of an image: write one such as %s", quote.Value(image), DefaultImage))
	}

	script := jobScript{
		Timeout: seconds(orDefault(options.Timeout, DefaultTimeout)), Wait: seconds(options.Wait), MagicDNS: magic.Addr().String(),
	}

	switch {
	case options.Insecure:
		script.Curl = " --insecure"
	case certificates != "":
		script.Curl = " --cacert /etc/talos-tsbridge/ca.crt"
	}

	for _, target := range targets {
		check, err := shellCheck(target)
		if err != nil {
			faults = append(faults, err)

			continue
		}

		script.Checks = append(script.Checks, check)
	}

	if err := errors.Join(faults...); err != nil {
		return nil, err
	}

	commands, err := fill(scriptText, script)
	if err != nil {
		return nil, err
	}

	// each target gets its time at most twice over, and an image has to be pulled
	const pulling = 120

	return fill(manifestText, struct {
		Image, CAs, Script string
		Deadline           int
	}{image, certificates, string(commands), pulling + script.Wait + 2*len(targets)*(2*script.Timeout)})
}

// fill fills a template. It is parsed here and not at the start of the program, which most runs of would pay for nothing.
func fill(text string, data any) ([]byte, error) {
	parsed, err := template.New("").Funcs(template.FuncMap{"indent": indent}).Parse(text)

	var filled bytes.Buffer
	if err == nil {
		err = parsed.Execute(&filled, data)
	}

	if err != nil {
		return nil, fmt.Errorf("composing the manifest: %w", err)
	}

	return filled.Bytes(), nil
}

// isImageName reports whether text can be the name of an image, and so stand in YAML as it is.
func isImageName(text string) bool {
	const edge = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

	return text != "" && strings.Trim(text, edge+"._/@:-") == "" && strings.ContainsRune(edge, rune(text[0])) &&
		strings.ContainsRune(edge, rune(text[len(text)-1]))
}

func onlyCertificates(text []byte) (string, error) {
	if len(text) == 0 {
		return "", nil
	}

	var certificates []byte

	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			certificates = append(certificates, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})...)
		}
	}

	if certificates == nil {
		return "", errors.New("ca-file holds no certificate: give a file of PEM certificates (-----BEGIN CERTIFICATE-----)")
	}

	return string(certificates), nil
}

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// jobScript is what the template of the script is filled with.
type jobScript struct {
	Timeout, Wait  int
	MagicDNS, Curl string
	Checks         []string
}

// shellCheck returns the call of the script's function for a target. What a target can hold needs no more than single
// quotes, which it cannot hold.
func shellCheck(target Target) (string, error) {
	call := func(function string, arguments ...string) string {
		return function + " '" + strings.Join(append([]string{target.String()}, arguments...), "' '") + "'"
	}

	port := strconv.Itoa(int(target.port))

	switch target.kind {
	case KindTCP:
		return call("check_tcp", target.host, port), nil
	case KindHTTPS:
		url := "https://" + target.hostPort() + target.path
		if target.address.IsValid() {
			return call("check_https", url, "--resolve", target.hostPort()+":"+bracketed(target.address.String())), nil
		}

		return call("check_https", url), nil
	case KindDNS:
		if !target.server.IsValid() {
			return call("check_name", target.host), nil
		}

		if target.server.Port() != dnsPort {
			return "", fmt.Errorf("target %s asks a port that the tools in the pod cannot ask: leave the port out", target)
		}

		return call("check_dns", target.host, target.server.Addr().String()), nil
	case KindTailnet:
		return call("check_tailnet", target.host), nil
	}

	return "", errors.New("a target is empty: write " + TargetUsage)
}

// scriptText is a template of a POSIX shell script for the tools of Alpine.
const scriptText = `timeout={{.Timeout}}
reached=; unnamed=; failed=

report() { # TARGET STATUS DETAIL
  if [ "$2" = 0 ]; then echo "ok      $1${3:+  $3}"; else failed=1; echo "FAILED  $1${3:+  $3}"; fi
}

lookup() { # NAME SERVER
  answer=$(nslookup -timeout="$timeout" -type=a "$1." "$2" 2>&1)
  case $answer in *Name:*) return 0 ;; esac
  answer6=$(nslookup -timeout="$timeout" -type=aaaa "$1." "$2" 2>&1)
  case $answer6 in *Name:*) answer=$answer6; return 0 ;; esac
  return 1
}

short() { echo "$1" | tr -s '\n\t ' ' ' | cut -c 1-200 | sed 's/ *$//'; }

check_tcp() { # TARGET HOST PORT
  detail=$(nc -z -w "$timeout" "$2" "$3" 2>&1); status=$?
  [ "$status" = 0 ] && reached=1
  report "$1" "$status" "$(short "$detail")"
}

check_https() { # TARGET URL [--resolve NAME:PORT:IP]
  target=$1 url=$2; shift 2
  detail=$(curl -sS -o /dev/null --noproxy '*' --connect-timeout "$timeout" --max-time $((2 * timeout)){{.Curl}} "$@" \
    -w 'status %{http_code}, %{remote_ip}, TLS after %{time_appconnect} s' "$url" 2>&1); status=$?
  [ "$status" = 0 ] && reached=1
  report "$target" "$status" "$(short "$detail")"
}

check_dns() { # TARGET NAME SERVER
  lookup "$2" "$3"; report "$1" "$?" "$(short "$answer")"
}

check_name() { # TARGET NAME
  detail=$(getent hosts "$2"); status=$?
  if [ "$status" != 0 ]; then unnamed=1; detail='the cluster does not resolve it'; fi
  report "$1" "$status" "$(short "$detail")"
}

check_tailnet() { # TARGET NAME
  detail=$(getent hosts "$2"); status=$?
  if [ "$status" != 0 ]; then
    unnamed=1
    if lookup "$2" '{{.MagicDNS}}'; then reached=1; detail='MagicDNS has it, the cluster does not resolve it'
    else detail='neither MagicDNS nor the cluster resolves it'; fi
  else
    case $detail in
      100.6[4-9].*|100.[7-9][0-9].*|100.1[01][0-9].*|100.12[0-7].*|fd7a:115c:a1e0:*) ;;
      *) status=1; detail="it resolves to $detail, which is no address of a tailnet" ;;
    esac
  fi
  report "$1" "$status" "$(short "$detail")"
}

check_all() {
  reached=; unnamed=; failed=
{{- range .Checks}}
  {{.}}
{{- end}}
}

end=$(($(date +%s) + {{.Wait}}))
while check_all; [ -n "$failed" ] && [ "$(date +%s)" -lt "$end" ]; do echo 'trying again'; sleep 2; done

if [ -n "$unnamed" ] && [ -n "$reached" ]; then
  echo 'The tailnet is reached and its names do not resolve in pods, which is so unless they are bridged: with static hosts'
  echo '(talos-tsbridge --static-host), the resolver of MagicDNS on the nodes (--magicdns resolver), or a stub zone in CoreDNS.'
fi
[ -z "$failed" ]
`

const manifestText = `
{{- if .CAs}}apiVersion: v1
kind: ConfigMap
metadata:
  name: talos-tsbridge-verify
  labels:
    app.kubernetes.io/name: talos-tsbridge-verify
data:
  ca.crt: |
{{indent 4 .CAs}}---
{{end}}apiVersion: batch/v1
kind: Job
metadata:
  name: talos-tsbridge-verify
  labels:
    app.kubernetes.io/name: talos-tsbridge-verify
spec:
  backoffLimit: 0
  activeDeadlineSeconds: {{.Deadline}}
  ttlSecondsAfterFinished: 3600
  template:
    metadata:
      labels:
        app.kubernetes.io/name: talos-tsbridge-verify
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext:
        runAsNonRoot: true
        runAsUser: 65534
        runAsGroup: 65534
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: verify
          image: {{.Image}}
          command: [/bin/sh, -c]
          args:
            - |
{{indent 14 .Script}}          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: [ALL]
          resources:
            requests: {cpu: 10m, memory: 16Mi}
            limits: {memory: 64Mi}
{{- if .CAs}}
          volumeMounts:
            - name: ca
              mountPath: /etc/talos-tsbridge
              readOnly: true
      volumes:
        - name: ca
          configMap:
            name: talos-tsbridge-verify
{{- end}}
`

// indent puts blanks before each line that is not empty.
func indent(blanks int, text string) string {
	var indented strings.Builder

	for line := range strings.Lines(text) {
		if line != "\n" {
			indented.WriteString(strings.Repeat(" ", blanks))
		}

		indented.WriteString(line)
	}

	return indented.String()
}
