package tailnet

import (
	"strings"
	"testing"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

// What our binary prints, containerboot must start with.
var acceptances = []struct {
	name  string
	Flags []string
}{
	{name: "nothing but a key"},
	{
		name: "every flag",
		Flags: []string{
			"--hostname=every-flag", "--advertise-tags=tag:k8s,tag:talos", "--advertise-routes=10.55.0.0/16,10.56.0.0/24",
			"--accept-routes", "--accept-dns", "--ssh", "--advertise-exit-node", "--snat-subnet-routes=false", "--shields-up",
		},
	},
	{name: "tags without their prefix", Flags: []string{"--advertise-tags=k8s,talos"}},
	{name: "a key file", Flags: []string{"--auth-key-mount={{mount}}"}},
	{name: "no longer any routes", Flags: []string{"--advertise-routes="}},
	{name: "an exit node that routes subnets", Flags: []string{"--advertise-exit-node", "--advertise-routes=10.55.0.0/16"}},
	{name: "free arguments", Flags: []string{"--extra-arg=--netfilter-mode=off", "--extra-arg=--report-posture=true"}},
	{name: "a hostname with dots and capitals", Flags: []string{"--hostname=Talos.rack-1"}},
	{name: "a hostname as long as may be", Flags: []string{"--hostname=" + strings.Repeat("a", 63)}},
	{name: "a tag with capitals", Flags: []string{"--advertise-tags=tag:K8s"}},
	{name: "a route twice", Flags: []string{"--advertise-routes=10.55.0.0/16,10.55.0.0/16"}},
	{name: "an exit node by address", Flags: []string{"--extra-arg=--exit-node=100.64.0.99"}},
	{name: "an operator", Flags: []string{"--extra-arg=--operator=nobody"}},
	{name: "a risk", Flags: []string{"--extra-arg=--accept-risk=all"}},
	{name: "output", Flags: []string{"--extra-arg=--json", "--extra-arg=--qr", "--extra-arg=--qr-format=small"}},
	{name: "a timeout", Flags: []string{"--extra-arg=--timeout=30s"}},
	{name: "a connector", Flags: []string{"--extra-arg=--advertise-connector", "--extra-arg=--stateful-filtering"}},
	{name: "reauthentication", Flags: []string{"--extra-arg=--force-reauth"}},
	{name: "flags of tailscaled", Flags: []string{"--env=TS_TAILSCALED_EXTRA_ARGS=--verbose=1 --no-logs-no-support"}},
	{name: "an argument without a value", Flags: []string{"--extra-arg=--reset"}},
	{name: "in userspace", Flags: []string{"--userspace"}},
	{name: "a port of tailscaled", Flags: []string{"--tailscaled-port={{port}}"}},
	{name: "a patient boot", Flags: []string{"--env=TS_BOOT_TIMEOUT=90s"}},
	{name: "metrics", Flags: []string{"--env=TS_ENABLE_METRICS=true", "--env=TS_LOCAL_ADDR_PORT=127.0.0.1:{{tcp}}"}},
	{name: "a health check", Flags: []string{"--env=TS_ENABLE_HEALTH_CHECK=true", "--env=TS_LOCAL_ADDR_PORT=[::1]:{{tcp}}"}},
	{name: "a debug port", Flags: []string{"--env=TS_DEBUG_ADDR_PORT=127.0.0.1:{{tcp}}"}},
	{name: "proxies", Flags: []string{"--env=TS_SOCKS5_SERVER=127.0.0.1:{{tcp}}", "--env=TS_OUTBOUND_HTTP_PROXY_LISTEN=127.0.0.1:{{tcp}}"}},
	{name: "variables of tailscaled", Flags: []string{"--env=TS_DEBUG_FIREWALL_MODE=nftables"}},
}

func TestContainerbootJoinsWithWhatWeAccept(t *testing.T) {
	tailnet := lab.NewTailnet(t)
	key := tailnet.Control.ReusableKey(t)

	for _, acceptance := range acceptances {
		t.Run(acceptance.name, func(t *testing.T) {
			node := tailnet.NewNode(t)

			t.Parallel()

			flags := append(node.Flags(), "--login-server="+tailnet.Control.URL)

			for _, flag := range acceptance.Flags {
				flag = strings.ReplaceAll(flag, "{{mount}}", node.MountPath("auth-key"))
				flag = strings.ReplaceAll(flag, "{{port}}", lab.FreePort(t, "udp"))
				flag = strings.ReplaceAll(flag, "{{tcp}}", lab.FreePort(t, "tcp"))
				flags = append(flags, flag)
			}

			node.Start(t, lab.PrintPatch(t, key, flags...)).Joined(t)
		})
	}
}

// Spellings that containerboot and `tailscale up` take without a word, and what
// they make of them. Where the result is not what was meant, we refuse them.
func TestContainerbootTakesSilently(t *testing.T) {
	tailnet := lab.NewTailnet(t)
	key := tailnet.Control.ReusableKey(t)

	start := func(t *testing.T, extraArgs string, environment ...string) *lab.Service {
		t.Helper()

		node := tailnet.NewNode(t)

		t.Parallel()

		service := node.Start(t, lab.ExtensionServiceConfig{Environment: append([]string{
			"TS_AUTHKEY=" + key, "TS_EXTRA_ARGS=--login-server=" + tailnet.Control.URL + " " + extraArgs,
		}, environment...)})
		service.Joined(t)

		return service
	}

	t.Run("a bool that is none is the default", func(t *testing.T) {
		lab.NeedsKernel(t, "TS_USERSPACE=no means userspace mode")

		status, err := start(t, "", "TS_USERSPACE=no").Status()
		if err != nil {
			t.Fatal(err)
		}

		if status.TUN {
			t.Error("TS_USERSPACE=no gives a TUN")
		}
	})

	t.Run("accept-dns among the arguments wins over its variable", func(t *testing.T) {
		if !start(t, "--accept-dns=true", "TS_ACCEPT_DNS=false").Preferences(t).CorpDNS {
			t.Error("TS_ACCEPT_DNS=false wins")
		}
	})

	t.Run("a tag without its prefix gets one", func(t *testing.T) {
		if tags := start(t, "--advertise-tags=k8s").Preferences(t).AdvertiseTags; len(tags) != 1 || tags[0] != "tag:k8s" {
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
