package verify_test

import (
	"bytes"
	"encoding/pem"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/report"
)

// decodeJob decodes a manifest against the Kubernetes types: an unknown or doubled field, or one of another type, fails.
func decodeJob(t *testing.T, manifest []byte) (*batchv1.Job, *corev1.ConfigMap) {
	t.Helper()

	var (
		job    batchv1.Job
		config *corev1.ConfigMap
	)

	documents := bytes.SplitAfter(manifest, []byte("\n---\n"))
	require.NoError(t, yaml.UnmarshalStrict(documents[len(documents)-1], &job))
	require.Equal(t, "batch/v1, Kind=Job", job.GroupVersionKind().String())

	if len(documents) > 1 {
		config = &corev1.ConfigMap{}
		require.NoError(t, yaml.UnmarshalStrict(bytes.TrimSuffix(documents[0], []byte("---\n")), config))
		require.Equal(t, "/v1, Kind=ConfigMap", config.GroupVersionKind().String())
	}

	return &job, config
}

func manifest(t *testing.T, options verify.ManifestOptions, texts ...string) []byte {
	t.Helper()

	targets, err := verify.ParseTargets(texts...)
	require.NoError(t, err)

	made, err := verify.Manifest(targets, options)
	require.NoError(t, err)

	return made
}

func TestManifestIsRestricted(t *testing.T) {
	t.Parallel()

	job, config := decodeJob(t, manifest(t, verify.ManifestOptions{Wait: time.Minute}, vaultTCP, vaultTLS, vaultDNS, magicDNS, "tailnet://vault"))
	assert.Nil(t, config)
	assert.Zero(t, *job.Spec.BackoffLimit)
	assert.GreaterOrEqual(t, *job.Spec.ActiveDeadlineSeconds, int64(60))
	assert.Positive(t, *job.Spec.TTLSecondsAfterFinished)

	// what the restricted Pod Security Standard asks for, and what it forbids
	pod := job.Spec.Template.Spec
	assert.Equal(t, corev1.RestartPolicyNever, pod.RestartPolicy)
	assert.False(t, *pod.AutomountServiceAccountToken)
	assert.True(t, *pod.SecurityContext.RunAsNonRoot)
	assert.Positive(t, *pod.SecurityContext.RunAsUser)
	assert.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, pod.SecurityContext.SeccompProfile.Type)
	assert.False(t, pod.HostNetwork || pod.HostPID || pod.HostIPC)
	assert.Empty(t, pod.Volumes)

	require.Len(t, pod.Containers, 1)
	container := pod.Containers[0]
	assert.Equal(t, verify.DefaultImage, container.Image)
	assert.False(t, *container.SecurityContext.AllowPrivilegeEscalation)
	assert.True(t, *container.SecurityContext.ReadOnlyRootFilesystem)
	assert.Equal(t, []corev1.Capability{"ALL"}, container.SecurityContext.Capabilities.Drop)
	assert.Empty(t, container.SecurityContext.Capabilities.Add)
	assert.Nil(t, container.SecurityContext.Privileged)
	assert.Equal(t, []string{"/bin/sh", "-c"}, container.Command)

	// what a quota of the namespace may ask for
	for _, list := range []corev1.ResourceList{container.Resources.Requests, container.Resources.Limits} {
		assert.False(t, list.Cpu().IsZero() || list.Memory().IsZero())
	}

	assert.Equal(t, []corev1.Toleration{{Key: "node-role.kubernetes.io/control-plane", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}}, pod.Tolerations)
	assert.Equal(t, "false", job.Spec.Template.Labels["sidecar.istio.io/inject"])
	assert.Equal(t, "disabled", job.Spec.Template.Annotations["linkerd.io/inject"])
}

// Each Job has a name of its own, since one that is there is not run again.
func TestManifestPlaces(t *testing.T) {
	t.Parallel()

	first, _ := decodeJob(t, manifest(t, verify.ManifestOptions{}, vaultTCP))
	second, _ := decodeJob(t, manifest(t, verify.ManifestOptions{}, vaultTCP))
	assert.NotEqual(t, first.Name, second.Name)

	job, _ := decodeJob(t, manifest(t, verify.ManifestOptions{Name: "check", From: verify.PlaceNode, OnNode: "lab-worker-1", Image: "true"}, vaultTCP))
	assert.Equal(t, "check", job.Name)

	pod := job.Spec.Template.Spec
	assert.True(t, pod.HostNetwork)
	assert.Equal(t, corev1.DNSDefault, pod.DNSPolicy)
	assert.Equal(t, "lab-worker-1", pod.NodeName)
	assert.Equal(t, []corev1.Toleration{{Operator: corev1.TolerationOpExists}}, pod.Tolerations)
	assert.Equal(t, "true", pod.Containers[0].Image)

	targets, err := verify.ParseTargets(vaultTCP)
	require.NoError(t, err)

	for _, wrong := range []verify.ManifestOptions{
		{Name: "Check"}, {Name: "a b"}, {Name: "a'b"}, {Name: strings.Repeat("a", 64)}, {OnNode: "lab\nworker"}, {From: verify.PlaceHost},
	} {
		_, err := verify.Manifest(targets, wrong)
		require.Error(t, err)
	}
}

func TestManifestCAs(t *testing.T) {
	t.Parallel()

	ca := newAuthority(t)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("canary")})

	job, config := decodeJob(t, manifest(t, verify.ManifestOptions{CAs: append(key, certificate...)}, vaultTLS))
	require.NotNil(t, config)
	assert.Equal(t, string(certificate), config.Data["ca.crt"], "the key stays here")

	pod := job.Spec.Template.Spec
	assert.Equal(t, config.Name, pod.Volumes[0].ConfigMap.Name)
	assert.Equal(t, pod.Volumes[0].Name, pod.Containers[0].VolumeMounts[0].Name)
	assert.Contains(t, pod.Containers[0].Args[0], "--cacert "+pod.Containers[0].VolumeMounts[0].MountPath+"/ca.crt")

	targets, err := verify.ParseTargets(vaultTLS, "dns://vault.test@127.0.0.1:5353")
	require.NoError(t, err)

	_, err = verify.Manifest(targets, verify.ManifestOptions{CAs: key, MagicDNS: netip.MustParseAddrPort("127.0.0.1:1")})
	require.ErrorContains(t, err, "ca-file holds no certificate")
	require.ErrorContains(t, err, "magic-dns 127.0.0.1:1 has a port")
	require.ErrorContains(t, err, "target dns://vault.test@127.0.0.1:5353 asks a port")

	_, err = verify.Manifest(nil, verify.ManifestOptions{})
	require.ErrorContains(t, err, "there is nothing to verify")
}

// The script runs, with stand-ins for the tools of the image: they know one address and no name of the cluster.
func TestManifestScript(t *testing.T) {
	t.Parallel()

	tools := t.TempDir()
	for name, script := range map[string]string{
		"nc":   `echo "nc $*" >> "$CALLS"; [ "$5 $6" = "100.82.13.87 8200" ] || { echo "nc: 100.82.13.87: Connection refused"; exit 1; }`,
		"curl": `echo "curl $*" >> "$CALLS"; printf ''; case "$*" in *100.82.13.87*) printf '\nstatus 200, 100.82.13.87, TLS after 0.05 s, connected after 0.01 s';; *) echo "curl: (28) timed out" >&2; exit 28;; esac`,
		"nslookup": `echo "nslookup $*" >> "$CALLS"
case "$4 $3" in
  "100.100.100.100 lushycorp-vault.magellanic-gondola.ts.net.") printf 'Server: x\n\nName: v\nAddress: 100.82.13.87\n';;
  *) echo "** server can't find it: NXDOMAIN"; exit 1;;
esac`,
		"sleep":  `exec /bin/sleep 0.2`,
		"getent": `echo "getent $*" >> "$CALLS"; [ "$1" = hosts ] || exit 1; case $2 in bridged) echo "100.82.13.87  bridged";; lan) echo "192.168.1.5  lan";; *) exit 2;; esac`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(tools, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	}

	run := func(options verify.ManifestOptions, texts ...string) (log, calls string, err error) {
		job, _ := decodeJob(t, manifest(t, options, texts...))
		container := job.Spec.Template.Spec.Containers[0]
		record := filepath.Join(t.TempDir(), "calls")

		cmd := exec.CommandContext(t.Context(), container.Command[0], append(container.Command[1:], container.Args...)...)
		cmd.Env = []string{"PATH=" + tools + string(os.PathListSeparator) + os.Getenv("PATH"), "CALLS=" + record}
		output, err := cmd.CombinedOutput()

		called, readErr := os.ReadFile(record)
		require.NoError(t, readErr)

		return string(output), string(called), err
	}

	log, calls, err := run(verify.ManifestOptions{Timeout: 3 * time.Second}, vaultTCP, vaultTLS)
	require.NoError(t, err, log)
	assert.Contains(t, log, "ok      "+vaultTCP)
	assert.Contains(t, log, "ok      "+vaultTLS+"  status 200, 100.82.13.87, TLS after 0.05 s")
	assert.Contains(t, calls, "nc -vv -z -w 3 100.82.13.87 8200\n")
	assert.Contains(t, calls, "--max-time 6 --resolve "+vaultName+":8200:100.82.13.87 ")
	assert.Contains(t, calls, " https://"+vaultName+":8200/\n")

	log, calls, err = run(verify.ManifestOptions{Insecure: true, Timeout: time.Second},
		vaultTCP, vaultDNS, magicDNS, "tailnet://"+vaultName, "tailnet://bridged", "tailnet://lan", "tcp://100.82.13.87:1",
		"https://lan:8200/?a=b&c=(d)", "https://v6.test/@fd7a:115c:a1e0::1", "dns://nx.test@10.96.0.10")
	require.Error(t, err)
	assert.Contains(t, log, "FAILED  "+vaultDNS+"  no-such-name: the cluster does not resolve it")
	assert.Contains(t, log, "ok      "+magicDNS)
	assert.Contains(t, log, "FAILED  tailnet://"+vaultName+"  no-such-name: MagicDNS has it, the cluster does not resolve it")
	assert.Contains(t, log, "ok      tailnet://bridged  100.82.13.87\n")
	assert.Contains(t, log, "FAILED  tailnet://lan  not-tailnet: it resolves to 192.168.1.5, which is no address of a tailnet")
	assert.Contains(t, log, "FAILED  tcp://100.82.13.87:1  refused: ")
	assert.Contains(t, log, "FAILED  dns://nx.test@10.96.0.10  no-such-name: ** server can't find it: NXDOMAIN")
	assert.Contains(t, log, "its names do not resolve in pods")

	// the log is what --also reads, as it is
	results, err := report.Read([]byte(log))
	require.NoError(t, err)
	require.Len(t, results, 10)

	outcomes := map[string]verify.Outcome{}
	for _, result := range results {
		assert.Equal(t, verify.PlacePod, result.From)
		outcomes[result.Target] = result.Outcome
	}

	assert.Equal(t, map[string]verify.Outcome{
		vaultTCP: verify.OutcomeOK, vaultDNS: verify.OutcomeNoSuchName, magicDNS: verify.OutcomeOK, "tailnet://" + vaultName: verify.OutcomeNoSuchName,
		"tailnet://bridged": verify.OutcomeOK, "tailnet://lan": verify.OutcomeNotTailnet, "tcp://100.82.13.87:1": verify.OutcomeRefused,
		"https://lan:8200/?a=b&c=(d)": verify.OutcomeTimeout, "https://v6.test/@fd7a:115c:a1e0::1": verify.OutcomeTimeout,
		"dns://nx.test@10.96.0.10": verify.OutcomeNoSuchName,
	}, outcomes)
	assert.Equal(t, netip.MustParseAddr("100.82.13.87"), results[2].Address)
	assert.Equal(t, verify.OutcomeOK, results[3].MagicDNS.Outcome)
	assert.Contains(t, codes(verify.Diagnose(results)), verify.CodeNamesNotBridged)
	assert.Contains(t, calls, "--insecure --resolve v6.test:443:[fd7a:115c:a1e0::1] ")
	assert.Contains(t, calls, " https://lan:8200/?a=b&c=(d)\n")

	log, _, err = run(verify.ManifestOptions{Wait: 3 * time.Second}, "tcp://100.82.13.87:1")
	require.Error(t, err)
	assert.Contains(t, log, "trying again")
}
