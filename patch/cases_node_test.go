package patch_test

import (
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// allForms are the contracts between which the forms of names, nameservers, KubeSpan and sysctls change.
var allForms = []*config.VersionContract{config.TalosVersion1_11, config.TalosVersion1_12, config.TalosVersion1_13, config.TalosVersion1_14}

// wantNode is what a machine config must hold besides the service and the node IP, written by hand.
type wantNode struct {
	// hosts are lines of /etc/hosts.
	hosts       []string
	nameservers []string
	certSANs    []string
	// apiServerSANs are those of the Kubernetes API.
	apiServerSANs []string
	// rules are "NAME PROTOCOL PORT from SUBNET SUBNET".
	rules    []string
	kubeSpan []string
	sysctls  map[string]string
	image    string
}

var (
	tailscaledRule = "tailnet-tailscaled udp 41641 from 0.0.0.0/0 ::/0"
	apidRule       = "tailnet-apid tcp 50000 from 100.64.0.0/10 fd7a:115c:a1e0::/48"
	kubernetesRule = "tailnet-kube-apiserver tcp 6443 from 100.64.0.0/10 fd7a:115c:a1e0::/48"
	outsideTailnet = []string{"0.0.0.0/0", "::/0", "!100.64.0.0/10", "!fd7a:115c:a1e0::/48"}
)

const factoryImage = "factory.talos.dev/metal-installer/4a0d65c669d46663f377e7161e50cfd570c401f26fd9e7bda34a0216b6f1922b:v1.13.5"

func nodeCases() []goldenCase {
	return []goldenCase{
		{
			name: "static-host", contracts: allForms, environment: defaultEnvironment,
			options: []patch.Option{
				patch.WithStaticHost("vault.tail1234.ts.net", "fd7a:115c:a1e0::d", "100.82.13.87"),
				patch.WithStaticHost("Vault", "100.82.13.87", "fd7a:115c:a1e0:0::d"), patch.WithStaticHost("db.tail1234.ts.net.", "100.101.102.103"),
				patch.WithStaticHost("vault", "100.82.13.87"),
			},
			wantNode: wantNode{hosts: []string{
				"100.82.13.87 vault vault.tail1234.ts.net", "100.101.102.103 db.tail1234.ts.net", "fd7a:115c:a1e0::d vault vault.tail1234.ts.net",
			}},
		},
		{
			name: "magicdns-resolver", contracts: allForms, environment: defaultEnvironment,
			options:  []patch.Option{patch.WithMagicDNSResolver("192.168.1.1", "2001:db8::1"), patch.WithMagicDNSResolver("192.168.1.1", "100.64.0.53")},
			wantNode: wantNode{nameservers: []string{"100.100.100.100", "192.168.1.1", "2001:db8::1", "100.64.0.53"}},
		},
		{
			name: "cert-san", environment: defaultEnvironment,
			options:  []patch.Option{patch.WithCertSANs("Lab-1.tail1234.ts.net", "203.0.113.7", "lab-1.tail1234.ts.net", "*.example.com")},
			wantNode: wantNode{certSANs: []string{"lab-1.tail1234.ts.net", "203.0.113.7", "*.example.com"}},
		},
		{
			name: "magicdns-domain", environment: override(nil,
				"TS_AUTH_ONCE=true", "TS_STATE_DIR=/var/lib/tailscale", "TS_HOSTNAME=Lab-1", "TS_ACCEPT_DNS=false", "TS_EXTRA_ARGS=--accept-routes=false"),
			options:  []patch.Option{patch.WithHostname("Lab-1"), patch.WithMagicDNSDomain("tail1234.ts.net"), patch.WithCertSANs("lab-1", "lab.example.com")},
			wantNode: wantNode{certSANs: []string{"lab-1.tail1234.ts.net", "lab-1", "lab.example.com"}},
		},
		{
			name: "firewall", environment: with("TS_TAILSCALED_EXTRA_ARGS=--port=41641"), options: []patch.Option{patch.WithFirewall(true)},
			wantNode: wantNode{rules: []string{tailscaledRule, apidRule}},
		},
		{
			name: "controlplane-firewall", role: machine.TypeControlPlane, environment: with("TS_TAILSCALED_EXTRA_ARGS=--port=443"),
			options: []patch.Option{patch.WithFirewall(true), patch.WithTailscaledPort(443)}, etcd: defaultSubnets,
			wantNode: wantNode{rules: []string{"tailnet-tailscaled udp 443 from 0.0.0.0/0 ::/0", apidRule, kubernetesRule}},
		},
		{
			name: "firewall-own-port", environment: with("TS_TAILSCALED_EXTRA_ARGS=--verbose=1 --port=4242"),
			options:  []patch.Option{patch.WithFirewall(true), patch.WithEnv("TS_TAILSCALED_EXTRA_ARGS", "--verbose=1 --port=4242")},
			wantNode: wantNode{rules: []string{"tailnet-tailscaled udp 4242 from 0.0.0.0/0 ::/0", apidRule}},
		},
		{
			name: "kubespan-filter", contracts: allForms, environment: defaultEnvironment, options: []patch.Option{patch.WithKubeSpanFilter(true)},
			wantNode: wantNode{kubeSpan: outsideTailnet},
		},
		{
			name: "install-image", contracts: []*config.VersionContract{config.TalosVersion1_7, config.TalosVersion1_13}, environment: defaultEnvironment,
			options: []patch.Option{patch.WithInstallImage(factoryImage)}, wantNode: wantNode{image: factoryImage},
		},
		{
			name: "install-image-elsewhere", contracts: []*config.VersionContract{config.TalosVersion1_14}, environment: defaultEnvironment,
			options: []patch.Option{patch.WithInstallImage(factoryImage)},
		},
		{
			name: "controlplane-api-server-san", role: machine.TypeControlPlane, environment: defaultEnvironment, etcd: defaultSubnets,
			options:  []patch.Option{patch.WithAPIServerSANs("Kube.tail1234.ts.net", "203.0.113.7", "kube.tail1234.ts.net")},
			wantNode: wantNode{apiServerSANs: []string{"kube.tail1234.ts.net", "203.0.113.7"}},
		},
		{
			name: "controlplane-node", contracts: allForms, role: machine.TypeControlPlane,
			environment: []string{
				"TS_AUTH_ONCE=true", "TS_STATE_DIR=/var/lib/tailscale", "TS_HOSTNAME=cp-1", "TS_ROUTES=2001:db8::/32", "TS_ACCEPT_DNS=false",
				"TS_EXTRA_ARGS=--accept-routes=false", "TS_TAILSCALED_EXTRA_ARGS=--port=41641",
			},
			options: []patch.Option{
				patch.WithHostname("cp-1"), patch.WithAdvertiseRoutes("2001:db8::/32"), patch.WithStaticHost("vault", "100.82.13.87"),
				patch.WithMagicDNSResolver("192.168.1.1"), patch.WithMagicDNSDomain("tail1234.ts.net"), patch.WithFirewall(true), patch.WithKubeSpanFilter(true),
			},
			etcd: defaultSubnets,
			wantNode: wantNode{
				hosts: []string{"100.82.13.87 vault"}, nameservers: []string{"100.100.100.100", "192.168.1.1"},
				certSANs: []string{"cp-1.tail1234.ts.net", "cp-1"}, apiServerSANs: []string{"cp-1.tail1234.ts.net", "cp-1"}, rules: []string{tailscaledRule, apidRule, kubernetesRule},
				kubeSpan: outsideTailnet, sysctls: map[string]string{"net.ipv6.conf.all.forwarding": "1"},
			},
		},
	}
}
