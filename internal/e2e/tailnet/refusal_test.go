package tailnet

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

// refusal is an environment that makes containerboot exit, and the flags that
// would make our binary print it. Both must be refused.
type refusal struct {
	name        string
	Flags       []string // none: our binary has no way to say it
	environment []string // {{url}} stands for the control server, {{key}} for a good key
	says        string   // a regular expression that matches containerboot's log
	kernelOnly  bool
}

var refusals = []refusal{
	// Flags of `tailscale up`, which are split at blanks and may not come twice.
	{
		name:        "hostname twice",
		Flags:       []string{"--hostname=a", "--extra-arg=--hostname=b"},
		environment: []string{"TS_HOSTNAME=a", "TS_EXTRA_ARGS={{url}} --hostname=b"},
		says:        "flag provided multiple times",
	},
	{
		name:        "routes twice",
		Flags:       []string{"--advertise-routes=10.55.0.0/16", "--extra-arg=--advertise-routes=10.56.0.0/16"},
		environment: []string{"TS_ROUTES=10.55.0.0/16", "TS_EXTRA_ARGS={{url}} --advertise-routes=10.56.0.0/16"},
		says:        "flag provided multiple times",
	},
	{
		name:        "auth key twice",
		Flags:       []string{"--extra-arg=--auth-key=file:/elsewhere"},
		environment: []string{"TS_EXTRA_ARGS={{url}} --auth-key=file:/elsewhere"},
		says:        "flag provided multiple times",
	},
	{
		name:        "auth key twice by its old name",
		Flags:       []string{"--extra-arg=--authkey=file:/elsewhere"},
		environment: []string{"TS_EXTRA_ARGS={{url}} --authkey=file:/elsewhere"},
		says:        "flag provided multiple times",
	},
	{
		name:        "client id twice",
		Flags:       []string{"--auth-key=none", "--env=TS_CLIENT_ID=fake", "--extra-arg=--client-id=fake"},
		environment: []string{"TS_AUTHKEY=", "TS_CLIENT_ID=fake", "TS_EXTRA_ARGS={{url}} --client-id=fake"},
		says:        "flag provided multiple times",
	},
	{
		name:        "a boolean flag twice",
		Flags:       []string{"--shields-up", "--extra-arg=--shields-up"},
		environment: []string{"TS_EXTRA_ARGS={{url}} --shields-up --shields-up"},
		says:        "flag provided multiple times",
	},
	{
		name:        "accept-dns twice",
		Flags:       []string{"--extra-arg=--accept-dns=true", "--extra-arg=--accept-dns=true"},
		environment: []string{"TS_EXTRA_ARGS={{url}} --accept-dns=true --accept-dns=true"},
		says:        "flag provided multiple times",
	},
	{
		name:        "accept-dns that is neither true nor false",
		Flags:       []string{"--extra-arg=--accept-dns=maybe"},
		environment: []string{"TS_EXTRA_ARGS={{url}} --accept-dns=maybe"},
		says:        "invalid boolean value",
	},
	{
		name:        "a boolean flag with a blank",
		Flags:       []string{"--extra-arg=--shields-up false"},
		environment: []string{"TS_EXTRA_ARGS={{url}} --shields-up false"},
		says:        "too many non-flag arguments",
	},
	{
		name:        "a boolean flag with its value as the next argument",
		Flags:       []string{"--extra-arg=--shields-up", "--extra-arg=false"},
		environment: []string{"TS_EXTRA_ARGS={{url}} --shields-up false"},
		says:        "too many non-flag arguments",
	},
	{
		name:        "an argument with a blank in quotes",
		Flags:       []string{`--extra-arg=--operator="a b"`},
		environment: []string{`TS_EXTRA_ARGS={{url}} --operator="a b"`},
		says:        "too many non-flag arguments",
	},
	{
		name:        "an unknown flag",
		Flags:       []string{"--extra-arg=--no-such-flag=1"},
		environment: []string{"TS_EXTRA_ARGS={{url}} --no-such-flag=1"},
		says:        "flag provided but not defined",
	},
	{
		name:        "a bool that is none",
		Flags:       []string{"--extra-arg=--ssh=yes"},
		environment: []string{"TS_EXTRA_ARGS={{url}} --ssh=yes"},
		says:        "invalid boolean value",
	},
	{
		name:        "a duration that is none",
		Flags:       []string{"--extra-arg=--timeout=soon"},
		environment: []string{"TS_EXTRA_ARGS={{url}} --timeout=soon"},
		says:        "invalid value",
	},
	{
		name:        "an unknown netfilter mode",
		Flags:       []string{"--extra-arg=--netfilter-mode=sometimes"},
		environment: []string{"TS_EXTRA_ARGS={{url}} --netfilter-mode=sometimes"},
		says:        "invalid value --netfilter-mode",
	},
	{
		name:        "LAN access of an exit node without one",
		Flags:       []string{"--extra-arg=--exit-node-allow-lan-access"},
		environment: []string{"TS_EXTRA_ARGS={{url}} --exit-node-allow-lan-access"},
		says:        "--exit-node-allow-lan-access can only be used with --exit-node",
	},
	{
		name:        "an exit node by its name, which no node knows before it has joined",
		Flags:       []string{"--extra-arg=--exit-node=elsewhere"},
		environment: []string{"TS_EXTRA_ARGS={{url}} --exit-node=elsewhere"},
		says:        "cannot resolve exit node by hostname",
	},

	// Tags, hostname and routes.
	{
		name:        "a tag with an underscore",
		Flags:       []string{"--advertise-tags=tag:no_good"},
		environment: []string{"TS_EXTRA_ARGS={{url}} --advertise-tags=tag:no_good"},
		says:        "tag names can only contain",
	},
	{
		name:        "a tag that starts with a digit",
		Flags:       []string{"--advertise-tags=tag:1st"},
		environment: []string{"TS_EXTRA_ARGS={{url}} --advertise-tags=tag:1st"},
		says:        "tag names must start with a letter",
	},
	{
		name:        "a hostname with an underscore",
		Flags:       []string{"--hostname=talos_1"},
		environment: []string{"TS_HOSTNAME=talos_1"},
		says:        "is not a valid DNS label",
	},
	{
		name:        "a hostname with a blank",
		Flags:       []string{"--hostname=talos 1"},
		environment: []string{"TS_HOSTNAME=talos 1"},
		says:        "is not a valid DNS label",
	},
	{
		name:        "routes with a blank",
		environment: []string{"TS_ROUTES=10.55.0.0/16, 10.56.0.0/16"},
		Flags:       []string{"--env=TS_ROUTES=10.55.0.0/16, 10.56.0.0/16"},
		says:        "invalid subnet route|is not a valid IP address",
	},
	{
		name:        "a route with host bits",
		Flags:       []string{"--env=TS_ROUTES=10.55.0.1/16"},
		environment: []string{"TS_ROUTES=10.55.0.1/16"},
		says:        "has non-address bits set",
	},
	{
		name:        "a route that is an address",
		Flags:       []string{"--env=TS_ROUTES=10.55.0.1"},
		environment: []string{"TS_ROUTES=10.55.0.1"},
		says:        "invalid subnet route|is not a valid IP address",
	},
	{
		name:        "an IPv4 default route without the IPv6 one",
		Flags:       []string{"--advertise-routes=0.0.0.0/0"},
		environment: []string{"TS_ROUTES=0.0.0.0/0"},
		says:        "::/0",
	},

	{
		name:        "a hostname whose label is too long",
		Flags:       []string{"--hostname=" + strings.Repeat("a", 64)},
		environment: []string{"TS_HOSTNAME=" + strings.Repeat("a", 64)},
		says:        "is too long",
	},
	{
		name:        "a hostname that ends with a dash",
		Flags:       []string{"--hostname=talos-"},
		environment: []string{"TS_HOSTNAME=talos-"},
		says:        "is not a valid DNS label",
	},

	// Credentials.
	{
		name:        "a key file that is not there",
		environment: []string{"TS_AUTHKEY=file:/var/etc/tailscale/nothing"},
		says:        "no such file or directory",
	},
	{
		name:        "a key and a client id",
		Flags:       []string{"--env=TS_CLIENT_ID=fake"},
		environment: []string{"TS_CLIENT_ID=fake"},
		says:        "TS_AUTHKEY cannot be used with",
	},
	{
		name:        "a key and a client secret",
		Flags:       []string{"--env=TS_CLIENT_SECRET=file:/etc/fake"},
		environment: []string{"TS_CLIENT_SECRET=file:/etc/fake"},
		says:        "TS_AUTHKEY cannot be used with",
	},
	{
		name:        "an identity token without a client id",
		Flags:       []string{"--auth-key=none", "--env=TS_ID_TOKEN=file:/etc/fake"},
		environment: []string{"TS_AUTHKEY=", "TS_ID_TOKEN=file:/etc/fake"},
		says:        "TS_ID_TOKEN is set but TS_CLIENT_ID is not set",
	},
	{
		name:        "an audience without a client id",
		Flags:       []string{"--auth-key=none", "--env=TS_AUDIENCE=fake"},
		environment: []string{"TS_AUTHKEY=", "TS_AUDIENCE=fake"},
		says:        "TS_AUDIENCE is set but TS_CLIENT_ID is not set",
	},
	{
		name:        "an identity token and a client secret",
		Flags:       []string{"--auth-key=none", "--env=TS_CLIENT_ID=fake", "--env=TS_ID_TOKEN=file:/etc/fake", "--env=TS_CLIENT_SECRET=file:/etc/fake"},
		environment: []string{"TS_AUTHKEY=", "TS_CLIENT_ID=fake", "TS_ID_TOKEN=file:/etc/fake", "TS_CLIENT_SECRET=file:/etc/fake"},
		says:        "TS_ID_TOKEN and TS_CLIENT_SECRET cannot both be set",
	},
	{
		name:        "an identity token and an audience",
		Flags:       []string{"--auth-key=none", "--env=TS_CLIENT_ID=fake", "--env=TS_ID_TOKEN=file:/etc/fake", "--env=TS_AUDIENCE=fake"},
		environment: []string{"TS_AUTHKEY=", "TS_CLIENT_ID=fake", "TS_ID_TOKEN=file:/etc/fake", "TS_AUDIENCE=fake"},
		says:        "TS_ID_TOKEN and TS_AUDIENCE cannot both be set",
	},
	{
		name:        "an audience and a client secret",
		Flags:       []string{"--auth-key=none", "--env=TS_CLIENT_ID=fake", "--env=TS_AUDIENCE=fake", "--env=TS_CLIENT_SECRET=file:/etc/fake"},
		environment: []string{"TS_AUTHKEY=", "TS_CLIENT_ID=fake", "TS_AUDIENCE=fake", "TS_CLIENT_SECRET=file:/etc/fake"},
		says:        "TS_AUDIENCE and TS_CLIENT_SECRET cannot both be set",
	},

	// What containerboot itself does not combine.
	{
		name:        "a destination in userspace mode",
		Flags:       []string{"--userspace", "--env=TS_DEST_IP=192.0.2.1"},
		environment: []string{"TS_USERSPACE=true", "TS_DEST_IP=192.0.2.1"},
		says:        "TS_DEST_IP is not supported with TS_USERSPACE",
	},
	{
		name:        "a destination name in userspace mode",
		Flags:       []string{"--userspace", "--env=TS_EXPERIMENTAL_DEST_DNS_NAME=db.example"},
		environment: []string{"TS_USERSPACE=true", "TS_EXPERIMENTAL_DEST_DNS_NAME=db.example"},
		says:        "TS_EXPERIMENTAL_DEST_DNS_NAME is not supported with TS_USERSPACE",
	},
	{
		name:        "a tailnet target in userspace mode",
		Flags:       []string{"--userspace", "--env=TS_TAILNET_TARGET_IP=100.64.0.9"},
		environment: []string{"TS_USERSPACE=true", "TS_TAILNET_TARGET_IP=100.64.0.9"},
		says:        "TS_TAILNET_TARGET_IP is not supported with TS_USERSPACE",
	},
	{
		name:        "a tailnet target name in userspace mode",
		Flags:       []string{"--userspace", "--env=TS_TAILNET_TARGET_FQDN=db.tailnet.example"},
		environment: []string{"TS_USERSPACE=true", "TS_TAILNET_TARGET_FQDN=db.tailnet.example"},
		says:        "TS_TAILNET_TARGET_FQDN is not supported with TS_USERSPACE",
	},
	{
		name:        "forwarding optimizations in userspace mode",
		Flags:       []string{"--userspace", "--env=TS_EXPERIMENTAL_ENABLE_FORWARDING_OPTIMIZATIONS=true"},
		environment: []string{"TS_USERSPACE=true", "TS_EXPERIMENTAL_ENABLE_FORWARDING_OPTIMIZATIONS=true"},
		says:        "TS_EXPERIMENTAL_ENABLE_FORWARDING_OPTIMIZATIONS is not supported in userspace mode",
	},
	{
		name:        "two destinations",
		Flags:       []string{"--env=TS_DEST_IP=192.0.2.1", "--env=TS_EXPERIMENTAL_DEST_DNS_NAME=db.example"},
		environment: []string{"TS_USERSPACE=false", "TS_DEST_IP=192.0.2.1", "TS_EXPERIMENTAL_DEST_DNS_NAME=db.example"},
		says:        "TS_EXPERIMENTAL_DEST_DNS_NAME and TS_DEST_IP cannot both be set",
	},
	{
		name:        "two tailnet targets",
		Flags:       []string{"--env=TS_TAILNET_TARGET_IP=100.64.0.9", "--env=TS_TAILNET_TARGET_FQDN=db.tailnet.example"},
		environment: []string{"TS_USERSPACE=false", "TS_TAILNET_TARGET_IP=100.64.0.9", "TS_TAILNET_TARGET_FQDN=db.tailnet.example"},
		says:        "Both TS_TAILNET_TARGET_IP and TS_TAILNET_FQDN cannot be set",
	},
	{
		name:        "a folder of configs beside variables",
		Flags:       []string{"--env=TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR=/etc/tsconfig"},
		environment: []string{"TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR=/etc/tsconfig"},
		says:        "/etc/tsconfig",
	},
	{
		name:        "state in a Kubernetes secret, outside of Kubernetes",
		Flags:       []string{"--env=TS_KUBE_SECRET=tailscale"},
		environment: []string{"TS_KUBE_SECRET=tailscale"},
		says:        "kube",
	},

	// Values.
	{
		name:        "a boot timeout without a unit",
		Flags:       []string{"--env=TS_BOOT_TIMEOUT=60"},
		environment: []string{"TS_BOOT_TIMEOUT=60"},
		says:        "error parsing TS_BOOT_TIMEOUT",
	},
	{
		name:        "a debug port without an address",
		Flags:       []string{"--env=TS_DEBUG_ADDR_PORT=8080"},
		environment: []string{"TS_DEBUG_ADDR_PORT=8080"},
		says:        "error parsing TS_DEBUG_ADDR_PORT",
	},
	{
		name:        "a metrics port without an address",
		Flags:       []string{"--env=TS_ENABLE_METRICS=true", "--env=TS_LOCAL_ADDR_PORT=9002"},
		environment: []string{"TS_ENABLE_METRICS=true", "TS_LOCAL_ADDR_PORT=9002"},
		says:        "error parsing TS_LOCAL_ADDR_PORT",
	},
	{
		name:        "an unknown flag of tailscaled",
		Flags:       []string{"--env=TS_TAILSCALED_EXTRA_ARGS=--no-such-flag"},
		environment: []string{"TS_BOOT_TIMEOUT=10s", "TS_TAILSCALED_EXTRA_ARGS=--no-such-flag"},
		says:        "flag provided but not defined",
	},

	// The node's own settings.
	{
		name:        "an IPv6 route where IPv6 is not forwarded",
		environment: []string{"TS_ROUTES=fd00:55::/64"},
		says:        "IP forwarding must be enabled",
		kernelOnly:  true,
	},
}

func TestContainerbootExitsOnWhatWeRefuse(t *testing.T) {
	tailnet := lab.NewTailnet(t)
	key := tailnet.Control.ReusableKey(t)

	// Otherwise a binary that refuses everything would pass.
	lab.PrintPatch(t, key)

	fill := strings.NewReplacer("{{url}}", "--login-server="+tailnet.Control.URL)

	for _, refusal := range refusals {
		t.Run(refusal.name, func(t *testing.T) {
			if refusal.kernelOnly {
				lab.NeedsKernel(t, "containerboot looks at the kernel's forwarding only with a TUN")
			}

			node := tailnet.NewNode(t)

			t.Parallel()

			environment := []string{"TS_AUTHKEY=" + key, "TS_AUTH_ONCE=true", fill.Replace("TS_EXTRA_ARGS={{url}}")}

			for _, variable := range refusal.environment {
				environment = append(environment, fill.Replace(variable))
			}

			service := node.Start(t, lab.ExtensionServiceConfig{Environment: environment})

			if !service.EndsWithin(lab.JoinWithin + lab.JoinWithin/2) {
				t.Fatalf("containerboot accepts it, do so too: %s", service.LastWords())
			}

			if !regexp.MustCompile(refusal.says).MatchString(service.Log()) {
				t.Errorf("containerboot exits, but not for %q: %s", refusal.says, service.LastWords())
			}

			if len(refusal.Flags) > 0 {
				refusesToPrint(t, key, append(node.Flags(), refusal.Flags...)...)
			}
		})
	}
}

// refusesToPrint has our binary fail for a reason that it gives.
func refusesToPrint(t *testing.T, key string, flags ...string) {
	t.Helper()

	var stdout, stderr bytes.Buffer

	command := lab.Bridge(key, flags...)
	command.Stdout = &stdout
	command.Stderr = &stderr

	if err := command.Run(); err == nil {
		t.Errorf("talos-tsbridge %v prints what makes containerboot exit:\n%s", flags, &stdout)

		return
	}

	if !strings.Contains(stderr.String(), "error: ") || strings.Contains(stderr.String(), "unknown flag") {
		t.Errorf("talos-tsbridge %v gives no reason: %s", flags, &stderr)
	}
}
