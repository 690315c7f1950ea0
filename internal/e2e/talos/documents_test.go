package talos

// The documents that the tests of Talos's own rules are made of.
const (
	separator = "---\n"

	extension = `apiVersion: v1alpha1
kind: ExtensionServiceConfig
name: tailscale
configFiles:
  - content: tskey-auth-FAKE
    mountPath: /var/etc/tailscale/auth-key
environment:
  - TS_AUTHKEY=file:/var/etc/tailscale/auth-key
`

	deleteExtension = `apiVersion: v1alpha1
kind: ExtensionServiceConfig
name: tailscale
$patch: delete
`

	kubeNode = `apiVersion: v1alpha1
kind: KubeNodeConfig
nodeIP:
  validSubnets:
    - 0.0.0.0/0
    - "!100.64.0.0/10"
`

	deleteKubeNodeIP = `apiVersion: v1alpha1
kind: KubeNodeConfig
nodeIP:
  $patch: delete
`

	kubeletNodeIP = `machine:
  kubelet:
    nodeIP:
      validSubnets:
        - 0.0.0.0/0
        - "!100.64.0.0/10"
`

	etcdSubnets = `cluster:
  etcd:
    advertisedSubnets:
      - 0.0.0.0/0
      - "!100.64.0.0/10"
`
)
