package tailnet

import (
	"strings"
	"testing"
)

// What our binary prints, containerboot must start with.
var acceptances = []struct {
	name  string
	flags []string
}{
	{name: "nothing but a key"},
	{
		name: "every flag",
		flags: []string{
			"--hostname=every-flag", "--advertise-tags=tag:k8s,tag:talos", "--advertise-routes=10.55.0.0/16,10.56.0.0/24",
			"--accept-routes", "--accept-dns", "--ssh", "--advertise-exit-node", "--snat-subnet-routes=false", "--shields-up",
		},
	},
	{name: "tags without their prefix", flags: []string{"--advertise-tags=k8s,talos"}},
	{name: "a key file", flags: []string{"--auth-key-mount={{mount}}"}},
	{name: "no longer any routes", flags: []string{"--advertise-routes="}},
	{name: "an exit node that routes subnets", flags: []string{"--advertise-exit-node", "--advertise-routes=10.55.0.0/16"}},
	{name: "free arguments", flags: []string{"--extra-arg=--netfilter-mode=off", "--extra-arg=--report-posture=true"}},
	{name: "a hostname with dots and capitals", flags: []string{"--hostname=Talos.rack-1"}},
	{name: "a hostname as long as may be", flags: []string{"--hostname=" + strings.Repeat("a", 63)}},
	{name: "a tag with capitals", flags: []string{"--advertise-tags=tag:K8s"}},
	{name: "a route twice", flags: []string{"--advertise-routes=10.55.0.0/16,10.55.0.0/16"}},
	{name: "an exit node by address", flags: []string{"--extra-arg=--exit-node=100.64.0.99"}},
	{name: "an operator", flags: []string{"--extra-arg=--operator=nobody"}},
	{name: "a risk", flags: []string{"--extra-arg=--accept-risk=all"}},
	{name: "output", flags: []string{"--extra-arg=--json", "--extra-arg=--qr", "--extra-arg=--qr-format=small"}},
	{name: "a timeout", flags: []string{"--extra-arg=--timeout=30s"}},
	{name: "a connector", flags: []string{"--extra-arg=--advertise-connector", "--extra-arg=--stateful-filtering"}},
	{name: "reauthentication", flags: []string{"--extra-arg=--force-reauth"}},
	{name: "flags of tailscaled", flags: []string{"--env=TS_TAILSCALED_EXTRA_ARGS=--verbose=1 --no-logs-no-support"}},
	{name: "an argument without a value", flags: []string{"--extra-arg=--reset"}},
	{name: "in userspace", flags: []string{"--userspace"}},
	{name: "a port of tailscaled", flags: []string{"--tailscaled-port={{port}}"}},
	{name: "a patient boot", flags: []string{"--env=TS_BOOT_TIMEOUT=90s"}},
	{name: "metrics", flags: []string{"--env=TS_ENABLE_METRICS=true", "--env=TS_LOCAL_ADDR_PORT=127.0.0.1:{{tcp}}"}},
	{name: "a health check", flags: []string{"--env=TS_ENABLE_HEALTH_CHECK=true", "--env=TS_LOCAL_ADDR_PORT=[::1]:{{tcp}}"}},
	{name: "a debug port", flags: []string{"--env=TS_DEBUG_ADDR_PORT=127.0.0.1:{{tcp}}"}},
	{name: "proxies", flags: []string{"--env=TS_SOCKS5_SERVER=127.0.0.1:{{tcp}}", "--env=TS_OUTBOUND_HTTP_PROXY_LISTEN=127.0.0.1:{{tcp}}"}},
	{name: "variables of tailscaled", flags: []string{"--env=TS_DEBUG_FIREWALL_MODE=nftables"}},
}

func TestContainerbootJoinsWithWhatWeAccept(t *testing.T) {
	tailnet := newTailnet(t)
	key := tailnet.control.reusableKey(t)

	for _, acceptance := range acceptances {
		t.Run(acceptance.name, func(t *testing.T) {
			node := tailnet.newNode(t)

			t.Parallel()

			flags := append(node.flags(), "--login-server="+tailnet.control.url)

			for _, flag := range acceptance.flags {
				flag = strings.ReplaceAll(flag, "{{mount}}", node.mountPath("auth-key"))
				flag = strings.ReplaceAll(flag, "{{port}}", freePort(t, "udp"))
				flag = strings.ReplaceAll(flag, "{{tcp}}", freePort(t, "tcp"))
				flags = append(flags, flag)
			}

			node.start(t, printPatch(t, key, flags...)).joined(t)
		})
	}
}

// Spellings that containerboot and `tailscale up` take without a word, and what
// they make of them. Where the result is not what was meant, we refuse them.
func TestContainerbootTakesSilently(t *testing.T) {
	tailnet := newTailnet(t)
	key := tailnet.control.reusableKey(t)

	start := func(t *testing.T, extraArgs string, environment ...string) *service {
		t.Helper()

		node := tailnet.newNode(t)

		t.Parallel()

		service := node.start(t, extensionServiceConfig{Environment: append([]string{
			"TS_AUTHKEY=" + key, "TS_EXTRA_ARGS=--login-server=" + tailnet.control.url + " " + extraArgs,
		}, environment...)})
		service.joined(t)

		return service
	}

	t.Run("a bool that is none is the default", func(t *testing.T) {
		needsKernel(t, "TS_USERSPACE=no means userspace mode")

		status, err := start(t, "", "TS_USERSPACE=no").status()
		if err != nil {
			t.Fatal(err)
		}

		if status.TUN {
			t.Error("TS_USERSPACE=no gives a TUN")
		}
	})

	t.Run("accept-dns among the arguments wins over its variable", func(t *testing.T) {
		if !start(t, "--accept-dns=true", "TS_ACCEPT_DNS=false").preferences(t).CorpDNS {
			t.Error("TS_ACCEPT_DNS=false wins")
		}
	})

	t.Run("a tag without its prefix gets one", func(t *testing.T) {
		if tags := start(t, "--advertise-tags=k8s").preferences(t).AdvertiseTags; len(tags) != 1 || tags[0] != "tag:k8s" {
			t.Errorf("the tags are %v", tags)
		}
	})

	t.Run("a metrics port that nothing listens on is not looked at", func(t *testing.T) {
		start(t, "", "TS_LOCAL_ADDR_PORT=9002")
	})

	t.Run("a flag of tailscaled may come twice", func(t *testing.T) {
		start(t, "", "TS_TAILSCALED_EXTRA_ARGS=--verbose=1 --verbose=0")
	})
}
