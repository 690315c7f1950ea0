package verify

import (
	"bytes"
	"crypto/rand"
	_ "embed" // the Job's script
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

// DefaultImage is the public image that [Manifest] uses: curl's own, which has nc, nslookup and getent as well. Its tag
// changes in minor versions.
const DefaultImage = "docker.io/curlimages/curl:8.14.1"

// jobName is what the name of a Job begins with, and the value of the label app.kubernetes.io/name.
const jobName = "talos-tsbridge-verify"

// ManifestOptions says how a [Manifest] checks. The zero ManifestOptions are ready for use.
type ManifestOptions struct {
	// Name is that of the Job. A Job that exists is not run again when it is applied again, so the default is a name of its
	// own for each manifest.
	Name string
	// From is [PlacePod] or [PlaceNode]: then the pod is in the network of its node, with the node's resolver. Default:
	// PlacePod.
	From Place
	// OnNode is the Kubernetes node to run on, whatever its taints. Default: any, control planes included.
	OnNode string
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

// JobName returns a name for a Job that no other has.
func JobName() string {
	const digits = 6

	return jobName + "-" + strings.ToLower(rand.Text()[:digits])
}

// Manifest returns a Kubernetes Job, as YAML, that tries the targets from a pod with the tools of a public image, and
// says in its log what became of them: for people, and at its end in a line of JSON a target, each a [Result]. The Job fails
// when one is not reached. The pod has no service account token and stays out of service meshes; from PlacePod it meets the
// restricted Pod Security Standard, from PlaceNode it takes a namespace that allows the host's network, such as kube-system.
//
//	talos-tsbridge verify --manifest --name check tcp://100.82.13.87:8200 | kubectl replace --force -f -
//	kubectl logs -f --pod-running-timeout=2m job/check
//
// It fails without targets, for a name or an image that is none, for a name server with another port than 53, which the
// tools cannot ask, and for CAs without a certificate.
func Manifest(targets []Target, options ManifestOptions) ([]byte, error) {
	if len(targets) == 0 {
		return nil, errors.New("there is nothing to verify: write " + TargetUsage)
	}

	certificates, err := onlyCertificates(options.CAs)
	faults := []error{err, options.check()}

	image := orDefault(options.Image, DefaultImage)
	script := jobScript{
		timeout: seconds(orDefault(options.Timeout, DefaultTimeout)), wait: seconds(options.Wait), place: orDefault(options.From, PlacePod),
		magic: tailaddr.MagicDNS4().String() + " " + tailaddr.MagicDNS6().String(),
	}

	if options.MagicDNS.IsValid() {
		script.magic = options.MagicDNS.Addr().String()
	}

	switch {
	case options.Insecure:
		script.curl = "--insecure"
	case certificates != "":
		script.curl = "--cacert /etc/talos-tsbridge/ca.crt"
	}

	for _, target := range targets {
		check, err := shellCheck(target)
		if err != nil {
			faults = append(faults, err)

			continue
		}

		script.checks = append(script.checks, check)
	}

	if err := errors.Join(faults...); err != nil {
		return nil, err
	}

	// each target gets its time a few times over, and an image has to be pulled
	const pulling, tries = 120, 8

	return fill(manifestText, struct {
		Name, Image, OnNode, CAs, Script string
		Host                             bool
		Deadline                         int
	}{
		orDefault(options.Name, JobName()), scalar(image), options.OnNode, certificates, script.String(), script.place == PlaceNode,
		pulling + script.wait + tries*len(targets)*script.timeout,
	})
}

// check returns what is wrong with the options beside the certificates.
func (o ManifestOptions) check() error {
	var faults []error

	if o.MagicDNS.IsValid() && o.MagicDNS.Port() != dnsPort {
		faults = append(faults, fmt.Errorf("magic-dns %s has a port that the pod's nslookup cannot ask: leave it out", o.MagicDNS))
	}

	if image := orDefault(o.Image, DefaultImage); !isImageName(image) {
		faults = append(faults, fmt.Errorf("image %s is not the name of an image: write one such as %s", quote.Value(image), DefaultImage))
	}

	if o.From == PlaceHost {
		faults = append(faults, errors.New("from host is not where a Job runs: write pod or node"))
	}

	for option, name := range map[string]string{"name": o.Name, "on-node": o.OnNode} {
		const longest = 63

		if parsed, err := parseName(orDefault(name, "x")); err != nil || parsed != orDefault(name, "x") || strings.Contains(name, "_") || option == "name" && len(name) > longest {
			faults = append(faults, fmt.Errorf("%s %s is not a name in Kubernetes: lower-case letters, digits, dashes and dots", option, quote.Value(name)))
		}
	}

	return errors.Join(faults...)
}

// scalar writes text as a scalar of YAML that is read as text: quoted where it could be read as a number or a boolean.
func scalar(text string) string {
	if strings.Contains(text, "/") && !strings.HasSuffix(text, ":") {
		return text
	}

	return strconv.Quote(text)
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

// jobText is the script of the Job, without what differs between Jobs.
//
//go:embed job.sh
var jobText string

// jobScript is what differs between the scripts of Jobs.
type jobScript struct {
	timeout, wait int
	place         Place
	magic, curl   string
	checks        []string
}

// String returns the whole script.
func (s jobScript) String() string {
	return fmt.Sprintf("timeout=%d wait=%d place=%s magic='%s' curl_options='%s'\n\n%s\ncheck_all() {\n  %s\n}\n\nmain\n",
		s.timeout, s.wait, s.place, s.magic, s.curl, jobText, strings.Join(s.checks, "\n  "))
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
	case KindTalos, KindKube:
		host := target.host
		if target.address.IsValid() {
			host = target.address.String()
		}

		return call("check_tcp", host, port), nil
	case KindHTTPS:
		url := "https://" + target.hostPort() + target.path
		if target.address.IsValid() {
			return call("check_https", target.host, port, url, "--resolve", target.hostPort()+":"+bracketed(target.address.String())), nil
		}

		return call("check_https", target.host, port, url), nil
	case KindDNS:
		if !target.server.IsValid() {
			return call("check_name", target.host), nil
		}

		if target.server.Port() != dnsPort {
			return "", fmt.Errorf("target %s asks a port, and the pod's nslookup can only ask port 53: leave the port out", target)
		}

		return call("check_dns", target.host, target.server.Addr().String()), nil
	case KindTailnet:
		return call("check_tailnet", target.host), nil
	}

	return "", errors.New("a target is empty: write " + TargetUsage)
}

const manifestText = `
{{- if .CAs}}apiVersion: v1
kind: ConfigMap
metadata:
  name: {{.Name}}
  labels:
    app.kubernetes.io/name: talos-tsbridge-verify
data:
  ca.crt: |
{{indent 4 .CAs}}---
{{end}}apiVersion: batch/v1
kind: Job
metadata:
  name: {{.Name}}
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
        sidecar.istio.io/inject: "false"
        istio.io/dataplane-mode: none
        kuma.io/sidecar-injection: disabled
      annotations:
        sidecar.istio.io/inject: "false"
        linkerd.io/inject: disabled
        consul.hashicorp.com/connect-inject: "false"
    spec:
      restartPolicy: Never
{{- if .OnNode}}
      nodeName: {{.OnNode}}
{{- end}}
{{- if .Host}}
      hostNetwork: true
      dnsPolicy: Default
{{- end}}
      tolerations:
{{- if .OnNode}}
        - operator: Exists
{{- else}}
        - key: node-role.kubernetes.io/control-plane
          operator: Exists
          effect: NoSchedule
{{- end}}
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
            limits: {cpu: 200m, memory: 64Mi}
{{- if .CAs}}
          volumeMounts:
            - name: ca
              mountPath: /etc/talos-tsbridge
              readOnly: true
      volumes:
        - name: ca
          configMap:
            name: {{.Name}}
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
